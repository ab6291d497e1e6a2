#include "indexer/clang/semantic_index.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::indexer::clang {
namespace {

constexpr std::uint64_t kF = 100;

ContentHash hash_of(const std::string& path, int version = 0) {
  return hash_content(path + std::to_string(version));
}

SemanticSymbol symbol(std::uint64_t key, std::string name) {
  SemanticSymbol symbol;
  symbol.key = SymbolKey{key};
  symbol.name = std::move(name);
  return symbol;
}

Occurrence place(std::uint32_t offset, Role role, std::uint32_t symbol_idx = 0) {
  return {.offset = offset,
          .length = 1,
          .role = role,
          .is_implicit = false,
          .symbol_idx = symbol_idx,
          .container_idx = kNoContainer};
}

/// A file that mentions f at some places.
FileSemantics file(std::string path, std::vector<Occurrence> occurrences, int version = 0) {
  FileSemantics file;
  file.hash = hash_of(path, version);
  file.path = std::move(path);
  file.n_bytes = 1000;
  file.symbols = {symbol(kF, "f")};
  file.occurrences = std::move(occurrences);
  return file;
}

/// A unit that calls f of a header, and defines it or not.
UnitRecord unit(const std::string& path, std::vector<Occurrence> in_main) {
  return {.main_path = path,
          .files = {file("f.h", {place(4, Role::kDeclaration)}), file(path, std::move(in_main))},
          .includes = {},
          .n_errors = 0};
}

std::string describe(const std::vector<SemanticPlace>& places) {
  std::string text;
  for (const auto& place : places)
    text += place.path + ":" + std::to_string(place.range.begin) + " ";
  return text;
}

}  // namespace

TEST_SUITE("indexer/clang/semantic_index") {
  TEST_CASE("a name in one unit leads to its definition in another") {
    SemanticIndex index;
    index.put(unit("user.cpp", {place(10, Role::kCall)}), CommandSource::kDatabase);
    auto answer = index.find("user.cpp", hash_of("user.cpp"), 10);
    REQUIRE(answer);
    CHECK(answer->definitions.empty());
    CHECK(describe(answer->declarations) == "f.h:4 ");
    index.put(unit("f.cpp", {place(20, Role::kDefinition)}), CommandSource::kDatabase);
    answer = index.find("user.cpp", hash_of("user.cpp"), 11);  // just behind the name
    REQUIRE(answer);
    CHECK(describe(answer->definitions) == "f.cpp:20 ");
    CHECK(answer->symbols[0].name == "f");
    CHECK(answer->confidence == 1);
    CHECK(describe(index.places(SymbolKey{kF})) == "f.cpp:20 f.h:4 user.cpp:10 ");
  }

  TEST_CASE("another text of the file has no answer") {
    SemanticIndex index;
    index.put(unit("a.cpp", {place(10, Role::kCall)}), CommandSource::kDatabase);
    CHECK(!index.find("a.cpp", hash_of("a.cpp", 1), 10));
    CHECK(!index.find("a.cpp", hash_of("a.cpp"), 50));
    CHECK(!index.find("b.cpp", hash_of("b.cpp"), 10));
  }

  TEST_CASE("units that saw the same of a header share it") {
    SemanticIndex index;
    for (const char* path : {"a.cpp", "b.cpp", "c.cpp"})
      index.put(unit(path, {place(10, Role::kCall)}), CommandSource::kDatabase);
    CHECK(index.stats().n_files == 4);
    CHECK(index.units_with("f.h") == std::vector<std::string>{"a.cpp", "b.cpp", "c.cpp"});
    index.remove("b.cpp");
    CHECK(index.units_with("f.h") == std::vector<std::string>{"a.cpp", "c.cpp"});
    index.remove("a.cpp");
    index.remove("c.cpp");
    CHECK(index.stats().n_files == 0);
    CHECK(index.stats().n_symbols == 0);
  }

  TEST_CASE("a unit that is parsed again replaces what it said") {
    SemanticIndex index;
    index.put(unit("a.cpp", {place(10, Role::kCall)}), CommandSource::kDatabase);
    index.put(unit("a.cpp", {place(30, Role::kCall)}), CommandSource::kDatabase);
    CHECK(describe(index.places(SymbolKey{kF})) == "a.cpp:30 f.h:4 ");
    index.put(unit("a.cpp", {place(10, Role::kCall)}), CommandSource::kDatabase);
    CHECK(describe(index.places(SymbolKey{kF})) == "a.cpp:10 f.h:4 ");
  }

  TEST_CASE("a guessed command is less sure, unless a unit with its own saw the file, too") {
    SemanticIndex index;
    index.put(unit("a.cpp", {place(10, Role::kCall)}), CommandSource::kInferred);
    auto answer = index.find("f.h", hash_of("f.h"), 4);
    REQUIRE(answer);
    CHECK(answer->confidence < 0.8);
    index.put(unit("b.cpp", {place(10, Role::kCall)}), CommandSource::kDatabase);
    answer = index.find("f.h", hash_of("f.h"), 4);
    REQUIRE(answer);
    CHECK(answer->confidence == 1);
  }

  TEST_CASE("what is written goes before what is implied") {
    SemanticIndex index;
    UnitRecord record = unit("a.cpp", {});
    record.files[1] = file("z.cpp", {place(10, Role::kDefinition), place(10, Role::kCall, 1)});
    record.files[1].symbols.push_back(symbol(kF + 1, "Ctor"));
    record.files[1].occurrences[1].is_implicit = true;
    index.put(record, CommandSource::kDatabase);
    const auto answer = index.find("z.cpp", hash_of("z.cpp"), 10);
    REQUIRE(answer);
    REQUIRE(answer->symbols.size() == 1);
    CHECK(answer->symbols[0].name == "f");
  }

  TEST_CASE("overriding methods are found from the base") {
    SemanticIndex index;
    UnitRecord record = unit("a.cpp", {place(10, Role::kDefinition)});
    record.files[1].symbols[0].overrides = {SymbolKey{7}};
    record.files.erase(record.files.begin());
    index.put(record, CommandSource::kDatabase);
    CHECK(index.overriding(SymbolKey{7}) == std::vector{SymbolKey{kF}});
    CHECK(index.overriding(SymbolKey{8}).empty());
  }

  TEST_CASE("the order of units does not matter") {
    SemanticIndex one;
    SemanticIndex two;
    const std::vector<UnitRecord> units = {unit("a.cpp", {place(1, Role::kCall)}),
                                           unit("b.cpp", {place(2, Role::kCall)}),
                                           unit("c.cpp", {place(3, Role::kDefinition)})};
    for (const auto& each : units)
      one.put(each, CommandSource::kDatabase);
    for (auto each = units.rbegin(); each != units.rend(); ++each) {
      two.put(*each, CommandSource::kDatabase);
      two.put(*each, CommandSource::kDatabase);
    }
    CHECK(one.places(SymbolKey{kF}) == two.places(SymbolKey{kF}));
    CHECK(one.stats().n_occurrences == two.stats().n_occurrences);
  }
}

}  // namespace kinglet::indexer::clang
