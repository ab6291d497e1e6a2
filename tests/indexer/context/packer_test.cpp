#include "indexer/context/packer.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/language.h"
#include "indexer/parse.h"
#include "tests/indexer/context/planted_secrets.h"
#include "tests/indexer/golden.h"

namespace kinglet::indexer {
namespace {

// About four bytes a token, and not additive: what two texts cost together is less than their sum.
std::size_t count(std::string_view text) {
  std::size_t n_tokens = text.empty() ? 0 : 1;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == ' ' || c == '\n' ? 0 : run + 1;
    if (run % 4 == 1 || c == '\n') ++n_tokens;
  }
  return n_tokens;
}

struct Repository {
  std::map<std::string, std::string> files;
  Index index;

  explicit Repository(std::map<std::string, std::string> all) : files(std::move(all)) {
    std::vector<std::pair<std::string, FileRecord>> records;
    for (const auto& [path, text] : files) {
      records.emplace_back(path, *parse_file(language_of(path, text), text));
    }
    index.put(std::move(records));
  }

  PackRequest request(const std::string& path, std::size_t cursor, std::size_t budget) const {
    PackRequest request;
    request.path = path;
    request.text = files.at(path);
    request.cursor = ByteOffset{static_cast<std::uint32_t>(cursor)};
    request.budget_tokens = budget;
    request.count_tokens = count;
    request.read_text = [this](const std::string& other) -> std::optional<std::string> {
      const auto file = files.find(other);
      if (file == files.end()) return std::nullopt;
      return file->second;
    };
    return request;
  }
};

// A repository of made-up modules that use each other.
Repository made_up(unsigned seed) {
  std::mt19937 random(seed);
  std::map<std::string, std::string> files;
  const auto name = [&](const char* what) {
    return std::string(what) + "_" + std::to_string(random() % 25);
  };
  for (int i = 0; i < 25; ++i) {
    std::string text = "import module_" + std::to_string(random() % 25) + "\n\n";
    for (unsigned n = random() % 12 + 1; n > 0; --n) {
      text += "class " + name("Class") + ":\n    def " + name("method") + "(self, " +
              name("value") + "):\n        return " + name("function") + "(" + name("Class") +
              ", self." + name("field") + ")\n\n\n";
      text += "def " + name("function") + "(" + name("value") + "):\n";
      for (unsigned lines = random() % 8 + 1; lines > 0; --lines) {
        text += "    " + name("local") + " = " + name("function") + "(" + name("Class") + "." +
                name("method") + ")\n";
      }
      text += "\n\n";
    }
    files["package/module_" + std::to_string(i) + ".py"] = text;
  }
  files["package/empty.py"] = "";
  files["package/one_line.py"] = std::string(50'000, 'x');
  files["package/secret.py"] = "password = \"hunter2-Zq81\"\ndef function_1(value_2): pass\n";
  return Repository(std::move(files));
}

std::string bytes_before_typed(const Pack& pack) {
  std::string all;
  for (const PackedChunk& chunk : pack.chunks)
    all += chunk.header + chunk.text;
  return all + "|" + pack.prefix + "|" + pack.suffix;
}

std::size_t tokens_of(const Pack& pack, const PackRequest& request) {
  std::size_t n_tokens =
      request.overhead.fixed + count(pack.prefix) + count(pack.suffix) + count(pack.typed);
  for (const PackedChunk& chunk : pack.chunks) {
    n_tokens += request.overhead.per_chunk + count(chunk.header) + count(chunk.text);
  }
  return n_tokens;
}

Pack packed(const Repository& repository, const PackRequest& request) {
  auto result = pack(repository.index.snapshot(), request);
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}

const char* const kStore = R"(#pragma once
#include <string>
namespace store {
/// Rows by key.
class Table : public Base {
 public:
  explicit Table(int size);
  bool insert(const std::string& key, int value);
  int find(const std::string& key) const;

 private:
  int size_;
};
int open_table(const char* path, Table* table);
}  // namespace store
)";
const char* const kUser = R"(#include "store.h"
using store::Table;

int fill(const char* path) {
  Table table(3);
  if (open_table(path, &table) != 0) return -1;
  table.insert("a", 1);

  return 0;
}
)";
const char* const kOther = R"(#include "store.h"

int copy(const char* path, const char* from) {
  Table table(8);
  if (open_table(path, &table) != 0) return -1;
  table.insert("b", table.find("a"));
  return 1;
}

void unrelated() { nothing_in_common(); }
)";

Repository small() {
  return Repository({{"store.h", kStore},
                     {"fill.cpp", kUser},
                     {"copy.cpp", kOther},
                     {"notes.txt", "Nothing to see here.\n"}});
}

std::size_t cursor_in(const std::string& text, const std::string& after) {
  const std::size_t at = text.find(after);
  REQUIRE(at != std::string::npos);
  return at + after.size();
}

}  // namespace

TEST_SUITE("indexer/context/packer") {
  TEST_CASE("a pack holds signatures, similar code and the file cut at the line") {
    const Repository repository = small();
    const std::string text = kUser;
    const std::size_t cursor = cursor_in(text, "table.ins");
    const Pack pack = packed(repository, repository.request("fill.cpp", cursor, 2000));
    std::string shown;
    for (const PackedChunk& chunk : pack.chunks) {
      shown += "--- " + std::string(name_of(chunk.reason)) + ": " + chunk.detail + "\n";
      shown += chunk.header + chunk.text;
    }
    shown +=
        "--- prefix\n" + pack.prefix + "--- suffix\n" + pack.suffix + "--- typed\n" + pack.typed;
    test::check_golden(test::golden_folder().parent_path() / "golden_context/small.txt",
                       shown + "\n");
    CHECK(pack.typed == "  table.ins");
    CHECK(pack.prefix + "  table.insert(\"a\", 1);\n" + pack.suffix == text);
    CHECK(pack.cut == text.find("  table.ins"));
    CHECK(!pack.typed_cut);
  }

  TEST_CASE("never a token over the budget, and the sums are right") {
    const Repository repository = made_up(1);
    const Snapshot index = repository.index.snapshot();
    std::vector<std::string> paths;
    for (const auto& [path, text] : repository.files)
      paths.push_back(path);
    std::mt19937 random(9);
    std::size_t n_chunks = 0;
    for (int round = 0; round < 2000; ++round) {
      const std::string& path = paths[random() % paths.size()];
      const std::size_t cursor = random() % (repository.files.at(path).size() + 10);
      PackRequest request = repository.request(path, cursor, random() % (round % 4 ? 3000 : 200));
      request.overhead.fixed = random() % 20;
      request.overhead.per_chunk = random() % 5;
      request.typed_reserve_tokens = random() % 200;
      request.shares.signatures = static_cast<double>(random() % 5) / 10;
      const auto result = pack(index, request);
      if (request.budget_tokens < request.overhead.fixed) {
        REQUIRE(!result);
        continue;
      }
      REQUIRE(result);
      REQUIRE(result->n_tokens <= request.budget_tokens);
      REQUIRE(result->n_tokens == tokens_of(*result, request));
      n_chunks += result->chunks.size();
      for (const PackedChunk& chunk : result->chunks) {
        REQUIRE(chunk.text.ends_with('\n'));
        REQUIRE(chunk.text.find("hunter2") == std::string::npos);
        // Of the current file only what lies above or below the window.
        const std::size_t n_bytes = repository.files.at(path).size();
        const bool is_above = chunk.range.end <= result->cut;
        const bool is_below = chunk.range.begin >= n_bytes - result->n_after;
        if (chunk.path == path) REQUIRE((is_above || is_below));
        REQUIRE(!chunk.detail.empty());
      }
      // What is on the line is not in the layout; what is around it is, from the line on.
      const std::string& text = repository.files.at(path);
      if (path != "package/secret.py") {
        const std::string before = text.substr(0, result->cut);
        REQUIRE(before.ends_with(result->prefix));
        REQUIRE((result->prefix.empty() || result->prefix.ends_with('\n')));
      }
    }
    CHECK(n_chunks > 2000);
  }

  TEST_CASE("a large budget is used: the file whole, then chunks") {
    const Repository repository = made_up(2);
    const std::string path = "package/module_3.py";
    const Pack pack = packed(repository, repository.request(path, 200, 6000));
    CHECK(pack.prefix.size() + pack.suffix.size() > repository.files.at(path).size() - 100);
    CHECK(pack.n_tokens_chunks > 2000);
  }

  TEST_CASE("the same state gives the same bytes, whatever history the index had") {
    const Repository repository = made_up(3);
    Index grown;
    for (auto entry = repository.files.rbegin(); entry != repository.files.rend(); ++entry) {
      const auto& [path, text] = *entry;
      grown.put(path, *parse_file(language_of(path, "x = 1\n"), "x = 1\n"));
      grown.put(path, *parse_file(language_of(path, text), text));
    }
    for (const std::size_t cursor : {0, 100, 333, 700}) {
      const PackRequest request = repository.request("package/module_7.py", cursor, 1500);
      const Pack fresh = packed(repository, request);
      const auto other = pack(grown.snapshot(), request);
      REQUIRE(other);
      CHECK(bytes_before_typed(fresh) == bytes_before_typed(*other));
      CHECK(bytes_before_typed(fresh) == bytes_before_typed(packed(repository, request)));
      CHECK(fresh.chunks.size() > 3);
    }
  }

  TEST_CASE("typing on a line changes nothing before what is typed") {
    const Repository repository = made_up(4);
    const Snapshot index = repository.index.snapshot();
    const std::string path = "package/module_5.py";
    const std::string text = repository.files.at(path);
    const std::size_t line = text.find("    local") + 0;
    REQUIRE(line != std::string::npos);
    const std::string written = "    result = function_3(Class_4.method_5, \xC3\xBC, 'password')";
    std::string before_typed;
    std::optional<Pack> first;
    for (std::size_t n = 0; n <= written.size(); ++n) {
      // As editors do it: a closing bracket waits behind the cursor.
      const std::string document =
          text.substr(0, line) + written.substr(0, n) + ")" + text.substr(text.find('\n', line));
      PackRequest request = repository.request(path, line + n, 1200);
      request.text = document;
      const auto result = pack(index, request);
      REQUIRE(result);
      if (!first) {
        first = *result;
        before_typed = bytes_before_typed(*result);
      }
      REQUIRE(bytes_before_typed(*result) == before_typed);
      REQUIRE(result->n_tokens <= request.budget_tokens);
      // The cheap way gives the same.
      const auto again = retype(*first, request);
      REQUIRE(again);
      CHECK(bytes_before_typed(*again) == before_typed);
      CHECK(again->typed == result->typed);
      CHECK(again->n_tokens == result->n_tokens);
    }
    const auto changed =
        [&](const std::string& document, std::size_t cursor, const std::string& file) {
          PackRequest request = repository.request(path, cursor, 1200);
          request.text = document;
          request.path = file;
          return !retype(*first, request);
        };
    CHECK(!changed(text, line + 2, path));
    CHECK(changed("x" + text, line + 3, path));
    CHECK(changed(text + "x", line + 2, path));
    CHECK(changed(text, line - 2, path));
    CHECK(changed(text, line + 2, "package/module_6.py"));
  }

  TEST_CASE("typing over lines only grows the end, and a deletion takes it back") {
    const Repository repository = small();
    const std::string text = kUser;
    const std::size_t line = cursor_in(text, "\"a\", 1);\n");
    PackRequest request = repository.request("fill.cpp", line, 2000);
    const Pack layout = packed(repository, request);
    // What stands from the line on, a caret for the cursor: as editors leave it after each key.
    for (const std::string typed :
         {"^",
          "  if (^)",
          "  if (path^)",
          "  if (path) {^}",
          "  if (path) {\n    ^\n  }",
          "  if (path) {\n    table.insert(\"^\")\n  }",
          "  if (path) {\n    table.insert(\"b\", [] {\n      ^\n    });\n  }",
          "  if (path) {\n    table.^\n  }",
          "  if (path) {^",
          "  if (path) {\n    return 1;\n  }\n  while (true)\n    ^",
          "  ^if (path) {",
          "\n^  end",
          "<p>^\n\n</p>"}) {
      const std::size_t cursor = typed.find('^');
      const std::string before = typed.substr(0, cursor);
      const std::string document =
          text.substr(0, line) + before + typed.substr(cursor + 1) + text.substr(line);
      request.text = document;
      request.cursor = ByteOffset{static_cast<std::uint32_t>(line + cursor)};
      INFO(typed);
      const auto grown = retype(layout, request);
      REQUIRE(grown);
      CHECK(bytes_before_typed(*grown) == bytes_before_typed(layout));
      CHECK(grown->typed == before);
      CHECK(grown->cut == line);
      CHECK(grown->n_tokens == tokens_of(*grown, request));
      // Whatever it was retyped to last.
      CHECK(retype(*grown, request)->typed == before);
    }
  }

  TEST_CASE("a layout ends where its end alone cannot tell what was typed") {
    const Repository repository = small();
    const std::string text = kUser;
    const std::size_t line = cursor_in(text, "\"a\", 1);\n");
    PackRequest request = repository.request("fill.cpp", line, 2000);
    const Pack layout = packed(repository, request);
    const auto holds = [&](const std::string& document, std::size_t cursor) {
      request.text = document;
      request.cursor = ByteOffset{static_cast<std::uint32_t>(cursor)};
      return retype(layout, request).has_value();
    };
    const auto typed = [&](const std::string& between) {
      const std::size_t cursor = between.find('^');
      return holds(text.substr(0, line) + between.substr(0, cursor) + between.substr(cursor + 1) +
                       text.substr(line),
                   line + cursor);
    };
    CHECK(typed("a();\n^"));
    // Code below the cursor, or too much of anything.
    CHECK(!typed("^a();\n  b();"));
    CHECK(!typed("a();\n^\n  \xC3\xBC"));
    CHECK(typed("a();\n^\n})\n}\n}\n}"));
    CHECK(!typed("a();\n^\n}\n}\n}\n}\n}\n}\n}\n}\n}"));
    CHECK(!typed("a();\n^" + std::string(300, ')')));
    // On the layout's one line every rest is left out, since a new layout would do so, too.
    CHECK(typed("a();^" + std::string(300, 'x')));
    // The line joined to the one above it, or to the one below it.
    CHECK(!holds(text.substr(0, line - 1) + "a();" + text.substr(line), line + 3));
    CHECK(holds(text, line));
    CHECK(!holds(text.substr(0, line) + "a();" + text.substr(line + 1), line + 4));
    // The cursor elsewhere.
    CHECK(!holds(text, line - 1));
    CHECK(!holds(text, line + 1));
    CHECK(!holds(text, text.size()));
    CHECK(!holds("", 0));
  }

  TEST_CASE("a layout lasts as long as all that is typed fits behind it") {
    const Repository repository = made_up(5);
    const std::string path = "package/module_5.py";
    const std::string& text = repository.files.at(path);
    const std::size_t line = text.find("    local");
    REQUIRE(line != std::string::npos);
    PackRequest request = repository.request(path, line, 600);
    request.typed_reserve_tokens = 100;
    const Pack layout = packed(repository, request);
    std::string typed;
    std::size_t n_most = 0;
    while (true) {
      typed += "    call_something(1)\n";
      const std::string document = text.substr(0, line) + typed + text.substr(line);
      request.text = document;
      request.cursor = ByteOffset{static_cast<std::uint32_t>(line + typed.size())};
      const auto grown = retype(layout, request);
      if (!grown) break;
      CHECK(grown->typed == typed);
      CHECK(grown->n_tokens <= 600);
      n_most = grown->n_tokens_typed;
    }
    // All of the room but the two percent that a fit may be short of.
    CHECK(n_most > 90);
    CHECK(layout.n_tokens + count(typed) > 590);
  }

  TEST_CASE("a file that is not indexed gets signatures of its language") {
    const Repository repository = small();
    const std::string document = "#include \"store.h\"\nvoid fresh() {\n  open_table(1);\n\n}\n";
    PackRequest request = repository.request("fill.cpp", document.size() - 3, 2000);
    request.path = "not/indexed.cpp";
    request.text = document;
    const Pack pack = packed(repository, request);
    CHECK(std::ranges::any_of(pack.chunks, [](const PackedChunk& chunk) {
      return chunk.reason == PackReason::kSignature &&
             chunk.text.find("open_table") != std::string::npos;
    }));
  }

  TEST_CASE("where there is no suffix it costs nothing") {
    const Repository repository = small();
    const std::string text = kUser;
    PackRequest request = repository.request("fill.cpp", cursor_in(text, "table.ins"), 2000);
    request.shares.prefix_of_file = 1;
    const Pack pack = packed(repository, request);
    CHECK(pack.suffix.empty());
    CHECK(pack.n_tokens_suffix == 0);
    CHECK(pack.n_tokens == tokens_of(pack, request));
    CHECK(retype(pack, request));
  }

  TEST_CASE("what the current file defines far above the window is packed like another file's") {
    std::string text = "def far_away(first, second):\n    return first\n\n\n";
    for (int i = 0; i < 500; ++i)
      text += "x_" + std::to_string(i) + " = " + std::to_string(i) + "\n";
    text += "far_away(1, 2)\n\n";
    const Repository repository(std::map<std::string, std::string>{{"a.py", text}});
    const Pack pack = packed(repository, repository.request("a.py", text.size(), 300));
    REQUIRE(pack.chunks.size() == 1);
    CHECK(pack.chunks[0].text.starts_with("def far_away(first, second): ...\n"));
    CHECK(pack.prefix.find("def far_away") == std::string::npos);
    // The index knows an older state: what it says of this text is not believed.
    PackRequest request = repository.request("a.py", text.size() + 6, 300);
    const std::string moved = "# new\n" + text;
    request.text = moved;
    CHECK(packed(repository, request).chunks.empty());
  }

  TEST_CASE("callers and tests are found by what a long function is called") {
    std::string text = "def weigh_basket(items):\n    total = 0\n";
    for (int i = 0; i < 80; ++i)
      text += "    total += step_" + std::to_string(i) + "\n";
    const std::map<std::string, std::string> files = {
        {"basket.py", text},
        {"test_basket.py",
         "def test_heavy():\n    total = Scale()\n    assert weigh_basket([total]) == 3\n"},
        {"other.py", "def other():\n    total = Scale()\n    return total\n"}};
    const Repository repository(files);
    PackRequest request = repository.request("basket.py", text.size(), 600);
    request.max_lines_before = 20;
    const Pack pack = packed(repository, request);
    const auto has_test = std::ranges::any_of(
        pack.chunks, [](const PackedChunk& chunk) { return chunk.path == "test_basket.py"; });
    CHECK(pack.prefix.find("weigh_basket") == std::string::npos);
    CHECK(has_test);
  }

  TEST_CASE("what someone just wrote comes first; where the window is changes nothing") {
    std::map<std::string, std::string> files;
    std::string user = "import scale\n\ndef use():\n    result = begin()\n";
    for (int i = 0; i < 40; ++i) {
      const std::string n = std::to_string(i);
      files["module_" + n + ".py"] = "def weigh_" + n + "(heavy_load, unit):\n    return unit\n";
    }
    files["user.py"] = user;
    const Repository repository(files);
    PackRequest request = repository.request("user.py", user.size(), 200);
    const std::string before = bytes_before_typed(packed(repository, request));
    CHECK(before.find("weigh_7(") == std::string::npos);
    request.recent = {{"user.py", {20, 20}}, {"module_7.py", {30, 30}}};
    const Pack pack = packed(repository, request);
    CHECK(bytes_before_typed(pack).find("def weigh_7(heavy_load, unit): ...") != std::string::npos);
    CHECK(pack.n_tokens <= request.budget_tokens);
    // Typing moves the person about in the window.
    request.recent = {{"module_7.py", {30, 30}}, {"user.py", {40, 40}}};
    CHECK(bytes_before_typed(packed(repository, request)) == bytes_before_typed(pack));
    request.recent = {{"user.py", {40, 40}}};
    CHECK(bytes_before_typed(packed(repository, request)) == before);
    // What is gone, what never was.
    request.recent = {{"gone.py", {40, 40}}, {"module_7.py", {4'000'000'000U, 4'000'000'000U}}};
    CHECK(packed(repository, request).n_tokens <= request.budget_tokens);
  }

  TEST_CASE("a line longer than the reserve is cut at its front") {
    const Repository repository = small();
    const std::string document = std::string(3000, 'y') + "end";
    PackRequest request = repository.request("fill.cpp", document.size(), 300);
    request.text = document;
    const auto result = pack(repository.index.snapshot(), request);
    REQUIRE(result);
    CHECK(result->typed_cut);
    CHECK(result->typed.ends_with("yyyend"));
    CHECK(result->typed.size() > 300);
    CHECK(result->n_tokens <= 300);
  }

  TEST_CASE("chunks whose file changed since it was indexed are left out") {
    const Repository repository = small();
    const std::string text = kUser;
    PackRequest request = repository.request("fill.cpp", cursor_in(text, "table.ins"), 2000);
    const auto similar = [&] {
      std::set<std::string> paths;
      for (const PackedChunk& chunk : packed(repository, request).chunks) {
        if (chunk.reason == PackReason::kSimilar) paths.insert(chunk.path);
      }
      return paths;
    };
    CHECK(similar().count("copy.cpp") == 1);
    request.read_text = [](const std::string&) { return std::string("// all new\n"); };
    CHECK(similar().empty());
    request.read_text = [](const std::string&) { return std::optional<std::string>(); };
    CHECK(similar().empty());
  }

  TEST_CASE("planted secrets reach no prompt") {
    const std::string key = std::string("AKIA") + "IOSFODNN7ABCDEFG";
    const std::string code =
        "def open_table(path):\n    key = \"" + key + "\"\n    connect_to(path, key)\n";
    const Repository repository(
        {{"a.py",
          code + "\n\ndef use_table(path):\n    open_table(path)\n    connect_to(path, key)\n"},
         {"b.py",
          code + "\n\ndef use_other(path):\n    connect_to(path, 1)\n    open_table(path)\n"}});
    const std::string& text = repository.files.at("a.py");
    for (std::size_t cursor = 0; cursor <= text.size(); ++cursor) {
      const Pack pack = packed(repository, repository.request("a.py", cursor, 1000));
      const std::string all = bytes_before_typed(pack) + pack.typed;
      // A prefix of it may be typed; the whole may not.
      REQUIRE(all.find(key) == std::string::npos);
      REQUIRE(all.find(key.substr(4)) == std::string::npos);
    }
  }

  TEST_CASE("none of many planted secrets reaches a prompt, from wherever it is asked for") {
    // Each stands in a file of its own, before and behind code that has the names of `use`: so that
    // it is near the cursor, in what is similar, and in the signatures of what is named.
    const std::vector<test::PlantedSecret> planted = test::planted_secrets();
    const std::string use = "connect_store(account, open_channel(store_name, region));\n";
    std::map<std::string, std::string> files;
    std::vector<std::string> paths;
    std::string names;
    for (std::size_t i = 0; i < planted.size(); ++i) {
      const std::string& text = planted[i].text();
      paths.push_back(std::to_string(i) + "/" + planted[i].file_name);
      files[paths.back()] = use + text + use;
      names += planted[i].before.substr(0, planted[i].before.find_first_of("\"'`\n")) + "0;\n";
    }
    files["use.cpp"] = names + use + use;
    files["use.py"] = names + use + use;
    const Repository repository(std::move(files));
    std::string shown;
    const auto look = [&](const std::string& path, std::size_t cursor, std::size_t budget) {
      const Pack pack = packed(repository, repository.request(path, cursor, budget));
      std::string all = bytes_before_typed(pack) + pack.typed;
      for (std::size_t i = 0; i < planted.size(); ++i) {
        if (all.find(planted[i].value) == std::string::npos) continue;
        FAIL_CHECK(planted[i].text() << " in " << path << " at " << cursor);
      }
      shown += all;
    };
    for (std::size_t i = 0; i < planted.size(); ++i) {
      const std::string& text = repository.files.at(paths[i]);
      // Each line's begin and end, and where the secret ends.
      for (std::size_t at = 0; at < text.size(); ++at) {
        if (at == 0 || text[at] == '\n' || text[at - 1] == '\n') look(paths[i], at, 700);
      }
      look(paths[i], use.size() + planted[i].before.size() + planted[i].value.size(), 3000);
    }
    for (const std::string path : {"use.cpp", "use.py"}) {
      for (std::size_t at = 0; at < repository.files.at(path).size(); at += 97)
        look(path, at, at % 2 == 0 ? 20'000 : 2000);
    }
    // They were there to be found.
    for (const std::string name : {"SERVICE_7 = \"***\"", "kStoreEncryptionKey", "\"***\"):"})
      CHECK_MESSAGE(shown.find(name) != std::string::npos, name);
  }

  TEST_CASE("odd cursors and texts") {
    const Repository repository = small();
    const Snapshot index = repository.index.snapshot();
    const auto with = [&](const std::string& document, std::uint32_t cursor) {
      PackRequest request = repository.request("fill.cpp", 0, 400);
      request.text = document;
      request.cursor = ByteOffset{cursor};
      auto result = pack(index, request);
      REQUIRE(result);
      CHECK(result->n_tokens <= 400);
      return *std::move(result);
    };
    CHECK(with("", 0).n_tokens == 0);
    CHECK(with("", 99).typed.empty());
    CHECK(with("abc", 99).typed == "abc");
    CHECK(with("a\nb\n", 4).prefix == "a\nb\n");
    CHECK(with("a\nb\n", 2).suffix.empty());
    CHECK(with("\xC3\xA4", 1).typed.empty());
    CHECK(with("a\xff"
               "b\nc",
               3)
              .typed ==
          "a\xEF\xBF\xBD"
          "b");
    CHECK(with(std::string(5'000'000, 'x'), 2'500'000).typed_cut);
    CHECK(with("a\r\nb\r\n", 4).prefix == "a\r\n");
  }

  TEST_CASE("wrong requests are named") {
    const Repository repository = small();
    const Snapshot index = repository.index.snapshot();
    const auto error = [&](auto change) {
      PackRequest request = repository.request("fill.cpp", 0, 100);
      change(request);
      const auto result = pack(index, request);
      return result ? std::string() : result.error().message;
    };
    CHECK(error([](PackRequest&) {}).empty());
    CHECK(error([](PackRequest& r) { r.overhead.fixed = 101; }).find("less than") !=
          std::string::npos);
    CHECK(error([](PackRequest& r) { r.count_tokens = nullptr; }).find("count_tokens") !=
          std::string::npos);
    CHECK(error([](PackRequest& r) { r.shares.signatures = 1.1; }).find("shares") !=
          std::string::npos);
    std::stop_source stop;
    stop.request_stop();
    const auto cancelled = pack(index, repository.request("fill.cpp", 0, 100), stop.get_token());
    REQUIRE(!cancelled);
    CHECK(cancelled.error().code == ErrorCode::kCancelled);
    // No index at all: the file alone.
    const auto alone = pack(Snapshot(), repository.request("fill.cpp", 0, 1000));
    REQUIRE(alone);
    CHECK(alone->chunks.empty());
    CHECK(alone->suffix.size() > 100);
  }
}

}  // namespace kinglet::indexer
