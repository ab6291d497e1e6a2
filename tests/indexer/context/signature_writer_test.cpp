#include "indexer/context/signature_writer.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include <doctest/doctest.h>
#include <tree_sitter/api.h>

#include "indexer/index.h"
#include "indexer/language.h"
#include "indexer/lexical.h"
#include "indexer/parse.h"
#include "indexer/syntax.h"
#include "tests/indexer/golden.h"

namespace kinglet::indexer {
namespace {

bool parses(const Language& language, const std::string& text) {
  const auto blanked = language.lexical == LexicalForm::kBraces ? blank_macros(text) : std::nullopt;
  const Tree tree = parse_tree(language.grammar(),
                               blanked ? *blanked : text,
                               {thread_time() + std::chrono::seconds(10), {}});
  return tree && !ts_node_has_error(ts_tree_root_node(tree.get()));
}

std::string written(const char* language,
                    const std::string& path,
                    const std::string& text,
                    const std::string& name) {
  Index index;
  index.put(path, *parse_file(*find_language(language), text));
  const Snapshot snapshot = index.snapshot();
  SignatureWriter writer(snapshot);
  const auto symbols = snapshot.definitions(name);
  return symbols.empty() ? "no " + name : writer.write({&symbols.front()});
}

}  // namespace

TEST_SUITE("indexer/context/signature_writer") {
  TEST_CASE("what stands in a group, a type or an enum is written so that it stands alone") {
    CHECK(written("cpp", "a.h", "struct Door {\n  bool is_open() const;\n};\n", "is_open") ==
          "struct Door {\n  bool is_open() const;\n};\n");
    CHECK(written("cpp", "a.h", "struct P {\n  P(int x) : x_(x) {}\n  int x_;\n};\n", "P") ==
          "struct P {};\n");
    CHECK(written("cpp", "a.cpp", "geo::P::P(int x) : x_(x) {\n  use(x);\n}\n", "P") ==
          "geo::P::P(int x) {}\n");
    CHECK(written("cpp", "a.cpp", "P::P(int x) {\n  use(x);\n}\n", "P") == "P::P(int x) {}\n");
    CHECK(written("cpp", "a.cpp", "P::~P() {\n  close();\n}\n", "~P") == "P::~P() {}\n");
    CHECK(written("cpp", "a.cpp", "int P::x() const {\n  return 1;\n}\n", "x") ==
          "int P::x() const;\n");
    CHECK(written("c", "a.h", "enum color { RED, BLUE };\n", "BLUE") ==
          "enum color { RED, BLUE };\n");
    CHECK(written("c", "a.h", "enum { RED, BLUE };\n", "BLUE") == "enum {\n  BLUE,\n};\n");
    CHECK(written("c", "a.h", "typedef struct {\n  int key;\n} door;\n", "door") ==
          "typedef struct {} door;\n");
    CHECK(written("c", "a.h", "typedef struct {\n  int key;\n} door;\n", "key") ==
          "typedef struct {\n  int key;\n} door;\n");
    CHECK(written("go", "a.go", "package a\n\nconst (\n\tRed = 1\n)\n", "Red") ==
          "const Red = 1\n");
    CHECK(written("go", "a.go", "package a\n\ntype Door struct {\n\tKey int\n}\n", "Door") ==
          "type Door struct {}\n");
    CHECK(written("rust", "a.rs", "struct Door {\n  key: u32,\n}\n", "key") ==
          "struct Door {\n  key: u32,\n}\n");
    CHECK(written("javascript", "a.js", "function open(door) {\n  door();\n}\n", "open") ==
          "function open(door) {}\n");
    CHECK(written("python", "a.py", "class Door:\n  def open(self):\n    pass\n", "open") ==
          "class Door:\n  def open(self): ...\n");
  }

  TEST_CASE("nearly every signature of the golden inputs parses, language by language") {
    struct Count {
      int n = 0;
      int n_bad = 0;
    };
    std::map<std::string, Count> counts;
    for (const auto& folder : std::filesystem::directory_iterator(test::golden_folder())) {
      if (!folder.is_directory() || folder.path().filename() == "cpp_broken") continue;
      for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        if (entry.path().stem() != "input") continue;
        const std::string text = test::read_text_file(entry.path());
        const Language& language = language_of(entry.path().string(), text);
        if (language.grammar == nullptr || language.is_data || language.name == "sql") continue;
        const std::string path = entry.path().filename().string();
        Index index;
        index.put(path, *parse_file(language, text));
        const Snapshot snapshot = index.snapshot();
        SignatureWriter writer(snapshot);
        for (const Symbol& symbol : snapshot.definitions_in(path)) {
          const Definition& definition = symbol.definition;
          if (definition.signature.empty() || definition.is_test ||
              definition.kind >= SymbolKind::kModule || definition.kind == SymbolKind::kNamespace)
            continue;
          const std::string line = writer.write({&symbol});
          Count& count = counts[std::string(language.name)];
          ++count.n;
          if (parses(language, line)) continue;
          ++count.n_bad;
          MESSAGE(language.name << ": " << line);
        }
      }
    }
    CHECK(counts.size() >= 14);
    for (const auto& [language, count] : counts) {
      INFO(language << ": " << count.n_bad << " of " << count.n);
      CHECK(count.n_bad * 8 <= count.n);
    }
  }
}

}  // namespace kinglet::indexer
