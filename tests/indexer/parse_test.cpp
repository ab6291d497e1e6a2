#include "indexer/parse.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/language.h"
#include "indexer/parsed_file.h"
#include "indexer/syntax.h"
#include "tests/indexer/golden.h"

namespace kinglet::indexer {
namespace {

const Language& cpp() {
  return *find_language("cpp");
}

std::string place(const std::string& text, std::uint32_t offset) {
  const auto begin = text.begin();
  const auto line = 1 + std::count(begin, begin + offset, '\n');
  return std::to_string(line);
}

std::string lines_of(const std::string& text, ByteRange range) {
  const std::uint32_t last = range.size() > 0 ? range.end - 1 : range.end;
  return place(text, range.begin) + "-" + place(text, last);
}

// A record for people, by lines.
std::string show(const FileRecord& record, const std::string& text) {
  static const char* const kCoverage[] = {"full", "errors", "lexical", "plain"};
  std::ostringstream out;
  out << record.language << ", " << kCoverage[static_cast<int>(record.coverage)] << ", "
      << record.n_lines << " lines\n";
  for (const Import& import : record.imports) {
    out << "import " << lines_of(text, import.range) << " " << import.target << "\n";
  }
  for (const Definition& definition : record.definitions) {
    out << "define " << lines_of(text, definition.range) << " " << name_of(definition.kind) << " "
        << definition.container << (definition.container.empty() ? "" : " / ") << definition.name
        << (definition.has_body ? "" : ", no body") << (definition.is_test ? ", test" : "")
        << (definition.evidence == Evidence::kLexical ? ", lexical" : "") << "\n    "
        << definition.signature << "\n";
    std::istringstream doc(definition.doc);
    for (std::string line; std::getline(doc, line);)
      out << "    # " << line << "\n";
  }
  std::vector<std::string> references;
  for (const Reference& reference : record.references) {
    references.push_back(record.names[reference.name_idx] + ":" + place(text, reference.offset));
  }
  out << "references";
  for (const std::string& reference : references)
    out << " " << reference;
  out << "\n";
  for (const Chunk& chunk : record.chunks)
    out << "chunk " << lines_of(text, chunk.range) << "\n";
  return out.str();
}

FileRecord parse(const Language& language,
                 const std::string& text,
                 const ParseLimits& limits = {}) {
  auto record = parse_file(language, text, limits);
  REQUIRE(record);
  return *std::move(record);
}

std::vector<std::string> definition_names(const FileRecord& record) {
  std::vector<std::string> names;
  for (const Definition& definition : record.definitions)
    names.push_back(definition.name);
  return names;
}

// What every record promises, whatever the bytes were: the check that a broker makes.
void check_promises(const FileRecord& record) {
  const std::string bytes = serialize(record);
  const auto read = deserialize(std::as_bytes(std::span(bytes)));
  if (!read) FAIL(read.error().message);
  CHECK(*read == record);
}

}  // namespace

TEST_SUITE("indexer/parse") {
  TEST_CASE("golden files") {
    std::set<std::string> covered;
    for (const auto& folder : std::filesystem::directory_iterator(test::golden_folder())) {
      if (!folder.is_directory()) continue;
      for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        if (entry.path().stem() != "input") continue;
        const std::string text = test::read_text_file(entry.path());
        const Language& language = language_of(entry.path().string(), text);
        covered.insert(std::string(language.name));
        ParseLimits limits;
        limits.max_chunk_bytes = 400;  // so that a short file shows where it is cut
        const FileRecord record = parse(language, text, limits);
        check_promises(record);
        test::check_golden(folder.path() / "expected.txt", show(record, text));
      }
    }
    for (const Language& language : all_languages()) {
      INFO(language.name << " has no golden folder");
      CHECK(covered.count(std::string(language.name)) == 1);
    }
  }

  TEST_CASE("macros that decorate do not hide a class") {
    const FileRecord record = parse(cpp(),
                                    "class EXPORT_API DB : public Base {\n"
                                    " public:\n"
                                    "  virtual int put(int key) = 0;\n"
                                    "};\n"
                                    "FOO_NAMESPACE_END\n"
                                    "int after();\n");
    CHECK(definition_names(record) == std::vector<std::string>{"DB", "put", "after"});
    CHECK(record.definitions[0].signature == "class DB : public Base");
    CHECK(record.definitions[1].container == "DB");
    CHECK(record.coverage == Coverage::kFull);
  }

  TEST_CASE("of a long declaration of many names each has its own part") {
    std::string text =
        "struct Shared {\n  const Pair<int, int> *ok, *err, empty[4], (*call)(int, int)";
    for (int i = 0; i < 40; ++i)
      text += ", *other_" + std::to_string(i);
    text += ";\n  int x, y;\n};\nint first" + std::string(300, 'a') + ", second;\n";
    const FileRecord record = parse(cpp(), text);
    std::map<std::string, std::string> signatures;
    for (const Definition& definition : record.definitions)
      signatures[definition.name] = definition.signature;
    CHECK(signatures["ok"] == "const Pair<int, int> *ok");
    CHECK(signatures["err"] == "const Pair<int, int> *err");
    CHECK(signatures["empty"] == "const Pair<int, int> empty[4]");
    CHECK(signatures["other_39"] == "const Pair<int, int> *other_39");
    CHECK(signatures["y"] == "int x, y");  // short enough to stay whole
    CHECK(signatures["second"] == "int second");
  }

  TEST_CASE("no function is called like a type") {
    const FileRecord behind_macro = parse(cpp(),
                                          "MY_API int (*open_door)(int key) MY_ATTR;\n"
                                          "MY_API void * (*get_door)(void);\n"
                                          "MY_API int (shut_door)(int key);\n");
    CHECK(definition_names(behind_macro) ==
          std::vector<std::string>{"open_door", "get_door", "shut_door"});
    CHECK(behind_macro.definitions[0].signature == "int (*open_door)(int key)");
    // Not every macro can be told from a type.
    for (const char* text : {"API int (*open)(int key);\n", "API void (*open)(void);\n"}) {
      INFO(text);
      for (const std::string& name : definition_names(parse(cpp(), text)))
        CHECK((name != "int" && name != "void"));
    }
  }

  TEST_CASE("definitions are found where the grammar gives up") {
    const FileRecord record = parse(cpp(),
                                    "}}}} ((\n"
                                    "class Lost : public Base {\n"
                                    "static int helper(const char* name, int n) {\n"
                                    "  if (name) { return use(n); }\n"
                                    "}\n"
                                    "#define LIMIT(x) ((x) < 3)\n");
    const auto names = definition_names(record);
    for (const char* name : {"Lost", "helper", "LIMIT"}) {
      INFO(name);
      CHECK(std::count(names.begin(), names.end(), name) == 1);
    }
    CHECK(std::count(names.begin(), names.end(), "if") == 0);
    const FileRecord python =
        parse(*find_language("python"), "def broken(:\n  pass\nclass (((\ndef whole(a):\n  pass\n");
    const auto found = definition_names(python);
    CHECK(std::count(found.begin(), found.end(), "broken") == 1);
    CHECK(std::count(found.begin(), found.end(), "whole") == 1);
  }

  TEST_CASE("a file past the grammar's limits has names, chunks and lexical definitions") {
    ParseLimits limits;
    limits.max_grammar_bytes = 10;
    const std::string text = "int counted(int many) {\n  return many + other_name;\n}\n";
    const FileRecord small = parse(cpp(), text, limits);
    CHECK(small.coverage == Coverage::kLexical);
    CHECK(definition_names(small) == std::vector<std::string>{"counted"});
    CHECK(small.references.empty());
    CHECK(small.chunks.size() == 1);
    limits = {};
    limits.max_time = std::chrono::milliseconds(0);
    CHECK(parse(cpp(), text, limits) == small);
  }

  TEST_CASE("cancelling stops a parse") {
    std::stop_source stop;
    stop.request_stop();
    const auto record = parse_file(cpp(), "int x;", {}, stop.get_token());
    REQUIRE(!record);
    CHECK(record.error().code == ErrorCode::kCancelled);

    std::string slow;
    for (int i = 0; i < 400'000; ++i)
      slow += "a(";
    std::stop_source later;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      later.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    ParseLimits limits;
    limits.max_time = std::chrono::minutes(10);
    const auto cancelled = parse_file(cpp(), slow, limits, later.get_token());
    REQUIRE(!cancelled);
    CHECK(cancelled.error().code == ErrorCode::kCancelled);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  }

  // The parser looks at the budget between steps, and here each of them reads to the text's end.
  TEST_CASE("comments that never end do not outlast the budget") {
    std::string text;
    for (int i = 0; i < 40'000; ++i)
      text += "class A /*\n";
    ParseLimits limits;
    limits.max_time = std::chrono::milliseconds(100);
    const auto begin = indexer::thread_time();
    CHECK(parse(cpp(), text, limits).coverage == Coverage::kLexical);
    CHECK(indexer::thread_time() - begin < std::chrono::seconds(3));
  }

  TEST_CASE("hostile bytes give a record that keeps its promises") {
    const auto repeat = [](std::string_view piece, std::size_t n) {
      std::string text;
      for (std::size_t i = 0; i < n; ++i)
        text += piece;
      return text;
    };
    ParseLimits limits;
    limits.max_time = std::chrono::milliseconds(5);  // for each language and text
    const std::vector<std::string> texts = {
        "",
        std::string(1000, '\0'),
        "int a" + std::string(1, '\0') + "b;\nclass X {};",
        "\xff\xfe\x80 class \xc3\x28 {};\nint \xf0\x9f\x92;",
        "\xEF\xBB\xBFint bom;\n",
        repeat("(", 100'000),
        repeat("{", 100'000),
        repeat("[", 100'000),
        repeat("namespace a {", 20'000),
        repeat("class a {", 20'000),
        repeat("struct A a(", 20'000),
        repeat("template <", 50'000),
        repeat("else if (x) {} ", 20'000),
        repeat("/**/ int a; ", 50'000),
        repeat("#if 1\n", 30'000),
        repeat("def f(\n", 30'000),
        repeat(" class a:\n", 30'000),
        repeat("x", 5'000'000),
        repeat("\"", 100'000),
        repeat("f([=[ #[[ ", 500),
        repeat("<a id=b>", 20'000),
        repeat("- a:\n ", 20'000),
        repeat("# a\n> ", 20'000),
        repeat("R\"x(", 50'000),
        repeat("a::", 100'000) + "f() {}",
        repeat("\t", 100'000) + "x = 1",
        "class \u202Eevil {};\n",
    };
    for (const std::string& text : texts) {
      for (const Language& language : all_languages()) {
        INFO(language.name << ": " << text.substr(0, 20));
        check_promises(parse(language, text, limits));
      }
    }
  }

  TEST_CASE("random damage to real code never breaks a promise") {
    std::mt19937 random(3);
    for (const auto& folder : std::filesystem::directory_iterator(test::golden_folder())) {
      if (!folder.is_directory()) continue;
      for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        if (entry.path().stem() != "input") continue;
        const std::string whole = test::read_text_file(entry.path());
        const Language& language = language_of(entry.path().string(), whole);
        for (int round = 0; round < 60; ++round) {
          std::string text = whole;
          for (unsigned n = random() % 8; n > 0; --n) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
              case 0:
                text[at] = static_cast<char>(random());
                break;
              case 1:
                text.erase(at, random() % 20);
                break;
              default:
                text.insert(at, "}{()\"\n<>'"[random() % 9] + std::string());
            }
            if (text.empty()) text = "x";
          }
          check_promises(parse(language, text));
        }
      }
    }
  }

  TEST_CASE("the record of an edited text is that of a fresh parse") {
    std::mt19937 random(17);
    const char* const kPieces[] = {"x",
                                   "\n",
                                   "(",
                                   ")",
                                   "{",
                                   "}",
                                   ";",
                                   "\n  call(a, b);\n",
                                   "int y;",
                                   "\"",
                                   "def f():\n  pass\n"};
    int n_edits = 0;
    int n_inexact = 0;
    int n_other = 0;
    for (const auto& folder : std::filesystem::directory_iterator(test::golden_folder())) {
      if (!folder.is_directory()) continue;
      for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        if (entry.path().stem() != "input") continue;
        const std::string whole = test::read_text_file(entry.path());
        const Language& language = language_of(entry.path().string(), whole);
        for (int round = 0; round < 3; ++round) {
          ParsedFile file(language);
          std::string text = whole;
          REQUIRE(file.update(text));
          CHECK(file.is_exact());
          for (int edit = 0; edit < 50; ++edit) {
            const std::size_t at = random() % (text.size() + 1);
            if (random() % 3 == 0) {
              text.erase(at, random() % 8);
            } else if (random() % 40 == 0) {
              text = whole;
            } else {
              text.insert(at, kPieces[random() % std::size(kPieces)]);
            }
            const auto record = file.update(text);
            REQUIRE(record);
            check_promises(*record);
            ++n_edits;
            const bool is_same = *record == parse(language, text);
            if (file.is_exact()) {
              INFO(language.name << ":\n" << text);
              CHECK(is_same);
            } else {
              ++n_inexact;
              n_other += is_same ? 0 : 1;
            }
          }
        }
      }
    }
    MESSAGE(n_edits << " edits, " << n_inexact << " inexact, of these " << n_other << " differ");
    CHECK(n_edits >= 3'000);
    CHECK(n_other * 10 < n_inexact);
  }

  TEST_CASE("a file of data has no more keys than a person can use, nested ones go first") {
    std::string text = "{\"first\": 1,\n\"many\": {\n";
    for (int i = 0; i < 20'000; ++i)
      text += "\"key" + std::to_string(i) + "\": 1,\n";
    text += "\"end\": 1},\n\"last\": 2}\n";
    const auto names = definition_names(parse(*find_language("json"), text));
    CHECK(names == std::vector<std::string>{"first", "many", "last"});
  }

  TEST_CASE("chunks are whole lines that tell whether a text still holds them") {
    std::string text;
    for (int i = 0; i < 300; ++i) {
      text += "int function_" + std::to_string(i) + "(int value) {\n  return value;\n}\n\n";
    }
    const FileRecord record = parse(cpp(), text);
    REQUIRE(record.chunks.size() > 5);
    std::uint32_t end = 0;
    for (const Chunk& chunk : record.chunks) {
      CHECK(chunk.range.begin == end);
      end = chunk.range.end;
      CHECK(chunk.range.size() <= ParseLimits{}.max_chunk_bytes);
      CHECK(chunk.hash == hash_chunk(chunk.range.of(text)));
      // Cut between functions, never inside one.
      CHECK(chunk.range.of(text).starts_with("int function_"));
    }
    CHECK(end == text.size());
  }

  TEST_CASE("terms count a chunk's words, in comments too") {
    const FileRecord record = parse(cpp(), "// widget widget\nint widget(int gadget);\n");
    REQUIRE(record.chunks.size() == 1);
    for (const Term& term : record.chunks[0].terms) {
      if (record.names[term.name_idx] == "widget") CHECK(term.count == 3);
    }
    CHECK(std::find(record.names.begin(), record.names.end(), "gadget") != record.names.end());
  }

  TEST_CASE("too many bytes are refused by name of the limit") {
    ParseLimits limits;
    limits.max_bytes = 3;
    const auto record = parse_file(cpp(), "1234", limits);
    REQUIRE(!record);
    CHECK(record.error().code == ErrorCode::kUnsupported);
    CHECK(record.error().message.find("limit of 3") != std::string::npos);
  }
}

}  // namespace kinglet::indexer
