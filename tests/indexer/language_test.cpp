#include "indexer/language.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::indexer {

TEST_SUITE("indexer/language") {
  TEST_CASE("every query file has a row and every grammar a query file") {
    std::set<std::string> files;
    const auto folder = std::filesystem::path(KINGLET_SOURCE_DIR) / "indexer/languages";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".scm") files.insert(entry.path().stem());
    }
    std::set<std::string> rows;
    for (const Language& language : all_languages()) {
      if (language.grammar != nullptr) rows.insert(std::string(language.name));
    }
    CHECK(files == rows);
    CHECK(rows.size() >= 3);
  }

  TEST_CASE("no extension belongs to two rows") {
    std::set<std::string_view> seen;
    for (const Language& language : all_languages()) {
      for (const std::string_view extension : language.extensions) {
        INFO(extension);
        CHECK(seen.insert(extension).second);
      }
    }
  }

  TEST_CASE("a path and, for headers, the text decide the language") {
    CHECK(language_of("db/db_impl.cc", "").name == "cpp");
    CHECK(language_of("Lib/os.py", "").name == "python");
    CHECK(language_of("src/server.c", "class Foo").name == "c");
    CHECK(language_of("a.h", "int f(void);\n").name == "c");
    CHECK(language_of("a.h", "namespace leveldb {\n").name == "cpp");
    CHECK(language_of("README.md", "").name == "text");
    CHECK(language_of("Makefile", "").name == "text");
    CHECK(language_of("py/no_extension", "").name == "text");
    CHECK(language_of("", "").name == "text");
    CHECK(find_language("cobol") == nullptr);
  }
}

}  // namespace kinglet::indexer
