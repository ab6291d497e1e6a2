#include "indexer/record.h"

#include <cstddef>
#include <random>
#include <span>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::indexer {
namespace {

FileRecord small_record() {
  FileRecord record;
  record.language = "cpp";
  record.hash = hash_content("int main() { return answer(answer_of); }");
  record.n_bytes = 40;
  record.n_lines = 1;
  record.names = {"answer", "answer_of", "main"};
  record.definitions.push_back({.name = "main",
                                .container = "",
                                .signature = "int main()",
                                .doc = "Runs.\nReturns 42.",
                                .kind = SymbolKind::kFunction,
                                .evidence = Evidence::kLexical,
                                .has_body = true,
                                .is_test = true,
                                .name_range = {4, 8},
                                .range = {0, 40}});
  record.references = {{0, 20}, {1, 27}};
  record.imports = {{"answer.h", {0, 0}}};
  record.chunks = {{{0, 20}, 7, {{0, 2}, {2, 1}}}, {{20, 40}, UINT64_MAX, {}}};
  return record;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

TEST_SUITE("indexer/record") {
  TEST_CASE("a record survives the way to the broker") {
    const FileRecord record = small_record();
    const auto read = deserialize(bytes_of(serialize(record)));
    REQUIRE(read);
    CHECK(*read == record);
    const auto empty = deserialize(bytes_of(serialize(FileRecord{})));
    REQUIRE(empty);
    CHECK(*empty == FileRecord{});
  }

  TEST_CASE("a cut record is corrupt at every length") {
    const std::string whole = serialize(small_record());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto read = deserialize(bytes_of(whole.substr(0, size)));
      REQUIRE(!read);
      CHECK(read.error().code == ErrorCode::kCorrupt);
    }
    CHECK(!deserialize(bytes_of(whole + '\0')));
  }

  TEST_CASE("what a record promises is checked, and the error names the field") {
    const auto error_of = [](auto change) {
      FileRecord record = small_record();
      change(record);
      const auto read = deserialize(bytes_of(serialize(record)));
      return read ? std::string("none") : read.error().message;
    };
    const auto names = [](const std::string& message, const char* field) {
      INFO(message);
      CHECK(message.find(field) != std::string::npos);
    };
    names(error_of([](FileRecord& r) { r.names = {"b", "a", "c"}; }), "name");
    names(error_of([](FileRecord& r) { r.names[0] = "\xff"; }), "name");
    names(error_of([](FileRecord& r) { r.references[1].name_idx = 3; }), "reference.name");
    names(error_of([](FileRecord& r) { r.references[1].offset = 40; }), "reference.offset");
    names(error_of([](FileRecord& r) { r.references[0].offset = 39; }), "reference.offset");
    names(error_of([](FileRecord& r) { r.definitions[0].range.end = 41; }), "definition.range");
    names(error_of([](FileRecord& r) { r.definitions[0].range.begin = 5; }), "name_range");
    names(error_of([](FileRecord& r) { r.definitions[0].signature = "a\nb"; }), "signature");
    names(error_of([](FileRecord& r) { r.definitions[0].doc = "\xE2\x80\xAE"; }), "doc");
    names(error_of([](FileRecord& r) { r.definitions[0].name.clear(); }), "definition.name");
    names(error_of(
              [](FileRecord& r) { r.definitions[0].kind = static_cast<SymbolKind>(kSymbolKinds); }),
          "kind");
    names(error_of([](FileRecord& r) { r.coverage = static_cast<Coverage>(9); }), "coverage");
    names(error_of([](FileRecord& r) { r.chunks[1].range.begin = 19; }), "chunk.range");
    names(error_of([](FileRecord& r) { r.chunks[0].terms[1].name_idx = 3; }), "term.name");
    names(error_of([](FileRecord& r) { r.chunks[0].terms[0].count = 0; }), "term.count");
    names(error_of([](FileRecord& r) { r.n_lines = 42; }), "n_lines");
  }

  TEST_CASE("damaged bytes are refused or read as a record that keeps its promises") {
    const std::string whole = serialize(small_record());
    std::mt19937 random(1);
    int n_read = 0;
    for (int round = 0; round < 20000; ++round) {
      std::string damaged = whole;
      for (unsigned n = random() % 4 + 1; n > 0; --n) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      const auto read = deserialize(bytes_of(damaged));
      if (!read) continue;
      ++n_read;
      for (const Reference& reference : read->references) {
        REQUIRE(reference.name_idx < read->names.size());
        REQUIRE(reference.offset < read->n_bytes);
      }
      for (const Chunk& chunk : read->chunks)
        REQUIRE(chunk.range.end <= read->n_bytes);
      REQUIRE(deserialize(bytes_of(serialize(*read))) == *read);
    }
    CHECK(n_read > 0);
  }

  TEST_CASE("a huge count allocates nothing") {
    std::string bytes = serialize(FileRecord{});
    bytes.resize(bytes.size() - 5);  // down to the count of names
    bytes += "\xff\xff\xff\xff\x0f";
    const auto read = deserialize(bytes_of(bytes));
    REQUIRE(!read);
    CHECK(read.error().message.find("names") != std::string::npos);
  }

  TEST_CASE("hashes are XXH3 and print as hexadecimal digits") {
    CHECK(to_hex(hash_content("")) == "99aa06d3014798d86001c324468d497f");
    CHECK(hash_chunk("") == 0x2d06800538d394c2);
  }
}

}  // namespace kinglet::indexer
