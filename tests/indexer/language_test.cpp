#include "indexer/language.h"

#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "indexer/query.h"
#include "tests/indexer/golden.h"

namespace kinglet::indexer {

TEST_SUITE("indexer/language") {
  TEST_CASE("every grammar has a query file and every query file a row") {
    std::set<std::string> files;
    const auto folder = std::filesystem::path(KINGLET_SOURCE_DIR) / "indexer/languages";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".scm") files.insert(test::read_text_file(entry.path()));
    }
    std::set<std::string> queries;
    for (const Language& language : all_languages()) {
      if (language.grammar != nullptr) queries.insert(std::string(language.query));
    }
    CHECK(files == queries);
    CHECK(queries.size() >= 22);
  }

  TEST_CASE("every query file compiles") {
    for (const Language& language : all_languages()) {
      if (language.grammar == nullptr) continue;
      const auto query = CompiledQuery::compile(language);
      INFO(language.name);
      CHECK_MESSAGE(query, (query ? std::string() : query.error().message));
    }
  }

  TEST_CASE("no extension, file name or interpreter belongs to two rows") {
    std::set<std::pair<std::string, std::string>> seen;
    for (const Language& language : all_languages()) {
      const auto add = [&](const std::string& list, std::string_view words) {
        std::istringstream stream{std::string(words)};
        for (std::string word; stream >> word;) {
          INFO(list << " " << word);
          CHECK(seen.emplace(list, word).second);
        }
      };
      add("extension", language.extensions);
      add("file name", language.file_names);
      add("interpreter", language.interpreters);
    }
    CHECK(seen.size() > 80);
  }

  TEST_CASE("a path and, for headers, the text decide the language") {
    CHECK(language_of("db/db_impl.cc", "").name == "cpp");
    CHECK(language_of("Lib/os.py", "").name == "python");
    CHECK(language_of("src/server.c", "class Foo").name == "c");
    CHECK(language_of("a.h", "int f(void);\n").name == "c");
    CHECK(language_of("a.h", "namespace leveldb {\n").name == "cpp");
    CHECK(language_of("a.h", "struct Options {\n  Door* door = nullptr;\n};\n").name == "cpp");
    CHECK(language_of("web/App.tsx", "").name == "tsx");
    CHECK(language_of("web/app.d.ts", "").name == "typescript");
    CHECK(language_of("po/app_de.ts", "<?xml version=\"1.0\"?>\n").name == "text");
    CHECK(language_of("README.md", "").name == "markdown");
    CHECK(language_of("notes.txt", "").name == "text");
    CHECK(language_of("", "").name == "text");
    CHECK(find_language("cobol") == nullptr);
  }

  TEST_CASE("a name without a telling extension may tell all the same") {
    CHECK(language_of("app/Gemfile", "").name == "ruby");
    CHECK(language_of("home/.bashrc", "").name == "bash");
    CHECK(language_of("Cargo.lock", "").name == "toml");
    CHECK(language_of(".clang-format", "").name == "yaml");
    CHECK(language_of("Makefile", "").name == "text");
    CHECK(language_of("py/no_extension", "").name == "text");
    CHECK(language_of("bash", "").name == "text");
    CHECK(language_of("Gemfile Rakefile", "").name == "text");
  }

  TEST_CASE("a file without an extension is what its first line runs") {
    CHECK(language_of("bin/run", "#!/bin/sh\n").name == "bash");
    CHECK(language_of("bin/run", "#! /usr/bin/env bash").name == "bash");
    CHECK(language_of("bin/run", "#!/usr/bin/python3.11 -u\n").name == "python");
    CHECK(language_of("bin/run", "#!/usr/bin/env -S A=1 node --harmony\n").name == "javascript");
    CHECK(language_of("bin/run", "#!/usr/bin/env ruby\r\n").name == "ruby");
    CHECK(language_of("bin/run", "#!/usr/bin/lua5.3\n").name == "lua");
    CHECK(language_of("bin/run", "#!/usr/bin/php8.2\n").name == "php");
    CHECK(language_of("bin/run", "#!/usr/bin/perl\n").name == "text");
    CHECK(language_of("bin/run", "#!").name == "text");
    CHECK(language_of("bin/run", "#!/usr/bin/env").name == "text");
    CHECK(language_of("bin/run", "#!" + std::string(100'000, 'x')).name == "text");
    CHECK(language_of("bin/run.txt", "#!/bin/sh\n").name == "text");
    CHECK(language_of(".hidden", "#!/bin/sh\n").name == "text");
  }
}

}  // namespace kinglet::indexer
