#include "indexer/clang/semantic_record.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::indexer::clang {
namespace {

UnitRecord example() {
  FileSemantics file;
  file.path = "src/a.cpp";
  file.hash = hash_content("int f();");
  file.n_bytes = 8;
  file.symbols.push_back({.key = SymbolKey{3},
                          .name = "f",
                          .kind = SymbolKind::kFunction,
                          .is_local = false,
                          .owner = SymbolKey{9},
                          .overrides = {SymbolKey{4}, SymbolKey{5}},
                          .outside = std::nullopt});
  file.symbols.push_back({.key = SymbolKey{7},
                          .name = "printf",
                          .kind = SymbolKind::kFunction,
                          .is_local = false,
                          .owner = {},
                          .overrides = {},
                          .outside = OutsidePlace{"/usr/include/stdio.h", 355, 11}});
  file.occurrences.push_back({.offset = 4,
                              .length = 1,
                              .role = Role::kDeclaration,
                              .is_implicit = false,
                              .symbol_idx = 0,
                              .container_idx = kNoContainer});
  file.occurrences.push_back({.offset = 5,
                              .length = 3,
                              .role = Role::kCall,
                              .is_implicit = true,
                              .symbol_idx = 1,
                              .container_idx = 0});
  return {.main_path = "src/a.cpp",
          .files = {file},
          .includes = {{"src/a.cpp", "src/a.h"}},
          .n_errors = 2};
}

bool is_refused(const UnitRecord& record) {
  return !deserialize(serialize(record));
}

}  // namespace

TEST_SUITE("indexer/clang/semantic_record") {
  TEST_CASE("a record comes back as it was") {
    const auto back = deserialize(serialize(example()));
    REQUIRE(back);
    CHECK(*back == example());
  }

  TEST_CASE("what a record promises is checked") {
    auto record = example();
    SUBCASE("a path out of the root") {
      record.files[0].path = "../a.cpp";
    }
    SUBCASE("an absolute path") {
      record.main_path = "/etc/passwd";
    }
    SUBCASE("a relative path of what is outside") {
      record.files[0].symbols[1].outside->path = "x";
    }
    SUBCASE("a symbol that is not there") {
      record.files[0].occurrences[0].symbol_idx = 2;
    }
    SUBCASE("a container that is not there") {
      record.files[0].occurrences[1].container_idx = 2;
    }
    SUBCASE("a place past the end") {
      record.files[0].occurrences[1].length = 4;
    }
    SUBCASE("symbols out of order") {
      record.files[0].symbols[0].key = SymbolKey{8};
    }
    SUBCASE("an occurrence twice") {
      record.files[0].occurrences.push_back(record.files[0].occurrences[1]);
    }
    SUBCASE("a file twice") {
      record.files.push_back(record.files[0]);
    }
    SUBCASE("overrides out of order") {
      record.files[0].symbols[0].overrides = {SymbolKey{5}, SymbolKey{4}};
    }
    CHECK(is_refused(record));
  }

  TEST_CASE("damaged bytes are refused or read as a record that holds") {
    const std::string good = serialize(example());
    for (std::size_t n = 0; n < good.size(); ++n)
      CHECK(!deserialize(std::string_view(good).substr(0, n)));
    std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same each time
    for (int i = 0; i < 20'000; ++i) {
      std::string bad = good;
      for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n)
        bad[random() % bad.size()] = static_cast<char>(random());
      const auto record = deserialize(bad);
      if (record) CHECK(deserialize(serialize(*record)));
    }
  }
}

}  // namespace kinglet::indexer::clang
