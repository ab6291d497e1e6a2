#include "indexer/record.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <utility>

// Header only: nothing to link or to install beside the program.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "indexer/bytes.h"
#include "indexer/clean_text.h"

namespace kinglet::indexer {
namespace {

// First bytes of a serialized record; the number changes with the format.
constexpr std::string_view kMagic = "kinglet record 1";

constexpr std::array<std::string_view, kSymbolKinds> kKindNames = {"function",
                                                                   "method",
                                                                   "class",
                                                                   "struct",
                                                                   "union",
                                                                   "enum",
                                                                   "enumerator",
                                                                   "namespace",
                                                                   "type",
                                                                   "macro",
                                                                   "variable",
                                                                   "field",
                                                                   "constant",
                                                                   "interface",
                                                                   "module",
                                                                   "key",
                                                                   "heading",
                                                                   "selector",
                                                                   "table"};

enum Flags : std::uint8_t { kHasBody = 1, kIsTest = 2, kIsLexical = 4 };

void write_range(std::string& out, ByteRange range) {
  write_number(out, range.begin);
  write_number(out, range.size());
}

// Reads fields in order. The first one that does not hold is kept, and from then on everything
// reads as zero, so that the code below stays a list of fields.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return !broken_; }
  std::size_t n_left() const { return bytes_.n_left(); }

  Error error() const {
    return {ErrorCode::kCorrupt,
            "file record: " + std::string(broken_ ? broken_ : "") + " does not hold at byte " +
                std::to_string(broken_at_)};
  }

  bool require(bool holds, const char* field) {
    if (!holds && !broken_) broken_ = field, broken_at_ = bytes_.offset();
    return ok();
  }

  std::uint64_t number(const char* field, std::uint64_t max) {
    if (!ok()) return 0;
    const auto number = bytes_.number();
    return require(number && *number <= max, field) ? *number : 0;
  }
  std::uint32_t number32(const char* field, std::uint64_t max) {
    assert(max <= UINT32_MAX);
    return static_cast<std::uint32_t>(number(field, max));
  }

  // A count of things that take at least `min_bytes` each: no count allocates more than the bytes
  // that are there can fill.
  std::size_t count(const char* field, std::size_t min_bytes) {
    return static_cast<std::size_t>(number(field, bytes_.n_left() / min_bytes));
  }

  std::string string(const char* field) {
    if (!ok()) return {};
    const auto text = bytes_.string();
    return require(text && is_clean(*text), field) ? std::string(*text) : std::string();
  }

  ByteRange range(const char* field, std::uint32_t n_bytes) {
    const std::uint32_t begin = number32(field, n_bytes);
    const std::uint32_t size = number32(field, n_bytes - begin);
    return {begin, begin + size};
  }

 private:
  ByteReader bytes_;
  const char* broken_ = nullptr;
  std::size_t broken_at_ = 0;
};

Definition read_definition(RecordReader& in, std::uint32_t n_bytes) {
  Definition definition;
  definition.name = in.string("definition.name");
  definition.container = in.string("definition.container");
  definition.signature = in.string("definition.signature");
  definition.doc = in.string("definition.doc");
  definition.kind = static_cast<SymbolKind>(in.number("definition.kind", kSymbolKinds - 1));
  const auto flags = in.number("definition.flags", kHasBody | kIsTest | kIsLexical);
  definition.has_body = (flags & kHasBody) != 0;
  definition.is_test = (flags & kIsTest) != 0;
  definition.evidence = (flags & kIsLexical) != 0 ? Evidence::kLexical : Evidence::kSyntax;
  definition.range = in.range("definition.range", n_bytes);
  definition.name_range = in.range("definition.name_range", n_bytes);
  in.require(!definition.name.empty(), "definition.name");
  in.require(definition.signature.find('\n') == std::string::npos, "definition.signature");
  in.require(definition.range.begin <= definition.name_range.begin &&
                 definition.name_range.end <= definition.range.end,
             "definition.name_range");
  return definition;
}

Chunk read_chunk(RecordReader& in, const FileRecord& record) {
  Chunk chunk;
  chunk.range = in.range("chunk.range", record.n_bytes);
  chunk.hash = in.number("chunk.hash", UINT64_MAX);
  const std::size_t n_terms = in.count("chunk.terms", 2);
  chunk.terms.reserve(n_terms);
  std::uint64_t next_name = 0;
  for (std::size_t i = 0; i < n_terms && in.ok(); ++i) {
    const std::uint64_t name_idx = next_name + in.number("term.name", UINT32_MAX);
    const std::uint32_t count = in.number32("term.count", record.n_bytes);
    in.require(name_idx < record.names.size(), "term.name");
    in.require(count > 0, "term.count");
    chunk.terms.push_back({static_cast<std::uint32_t>(name_idx), count});
    next_name = name_idx + 1;
  }
  return chunk;
}

}  // namespace

std::string_view name_of(SymbolKind kind) {
  return kKindNames.at(static_cast<std::size_t>(kind));
}

ContentHash hash_content(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

std::string to_hex(const ContentHash& hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint64_t half : {hash.high, hash.low}) {
    for (int shift = 60; shift >= 0; shift -= 4)
      text += kDigits[(half >> shift) & 0xF];
  }
  return text;
}

std::uint64_t hash_chunk(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string serialize(const FileRecord& record) {
  std::string out(kMagic);
  write_string(out, record.language);
  write_number(out, record.hash.high);
  write_number(out, record.hash.low);
  write_number(out, record.n_bytes);
  write_number(out, record.n_lines);
  write_number(out, static_cast<std::uint64_t>(record.coverage));
  write_number(out, record.names.size());
  for (const std::string& name : record.names)
    write_string(out, name);
  write_number(out, record.definitions.size());
  for (const Definition& definition : record.definitions) {
    write_string(out, definition.name);
    write_string(out, definition.container);
    write_string(out, definition.signature);
    write_string(out, definition.doc);
    write_number(out, static_cast<std::uint64_t>(definition.kind));
    write_number(out,
                 (definition.has_body ? kHasBody : 0) | (definition.is_test ? kIsTest : 0) |
                     (definition.evidence == Evidence::kLexical ? kIsLexical : 0));
    write_range(out, definition.range);
    write_range(out, definition.name_range);
  }
  write_number(out, record.references.size());
  std::uint32_t offset = 0;
  for (const Reference& reference : record.references) {
    write_number(out, reference.name_idx);
    write_number(out, reference.offset - std::exchange(offset, reference.offset));
  }
  write_number(out, record.imports.size());
  for (const Import& import : record.imports) {
    write_string(out, import.target);
    write_range(out, import.range);
  }
  write_number(out, record.chunks.size());
  for (const Chunk& chunk : record.chunks) {
    write_range(out, chunk.range);
    write_number(out, chunk.hash);
    write_number(out, chunk.terms.size());
    std::uint32_t next_name = 0;
    for (const Term& term : chunk.terms) {
      write_number(out, term.name_idx - std::exchange(next_name, term.name_idx + 1));
      write_number(out, term.count);
    }
  }
  return out;
}

Result<FileRecord> deserialize(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) {
    return fail(ErrorCode::kCorrupt,
                "file record: does not begin with \"" + std::string(kMagic) + "\"");
  }
  RecordReader in(text.substr(kMagic.size()));
  FileRecord record;
  record.language = in.string("language");
  record.hash.high = in.number("hash", UINT64_MAX);
  record.hash.low = in.number("hash", UINT64_MAX);
  record.n_bytes = in.number32("n_bytes", UINT32_MAX);
  record.n_lines = in.number32(
      "n_lines", std::uint64_t{record.n_bytes} + 1 > UINT32_MAX ? UINT32_MAX : record.n_bytes + 1);
  record.coverage =
      static_cast<Coverage>(in.number("coverage", static_cast<int>(Coverage::kPlain)));

  const std::size_t n_names = in.count("names", 2);
  record.names.reserve(n_names);
  for (std::size_t i = 0; i < n_names && in.ok(); ++i) {
    std::string name = in.string("name");
    in.require(!name.empty() && (record.names.empty() || record.names.back() < name), "name");
    record.names.push_back(std::move(name));
  }

  const std::size_t n_definitions = in.count("definitions", 10);
  for (std::size_t i = 0; i < n_definitions && in.ok(); ++i) {
    record.definitions.push_back(read_definition(in, record.n_bytes));
    const auto& all = record.definitions;
    in.require(i == 0 || all[i - 1].range.begin <= all[i].range.begin, "definition.range");
  }

  const std::size_t n_references = in.count("references", 2);
  record.references.reserve(in.ok() ? n_references : 0);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < n_references && in.ok(); ++i) {
    const std::uint32_t name_idx = in.number32("reference.name", UINT32_MAX);
    offset += in.number("reference.offset", record.n_bytes);
    in.require(name_idx < record.names.size(), "reference.name");
    in.require(offset < record.n_bytes, "reference.offset");
    record.references.push_back({name_idx, static_cast<std::uint32_t>(offset)});
  }

  const std::size_t n_imports = in.count("imports", 3);
  for (std::size_t i = 0; i < n_imports && in.ok(); ++i) {
    Import import;
    import.target = in.string("import.target");
    import.range = in.range("import.range", record.n_bytes);
    in.require(record.imports.empty() || record.imports.back().range.begin <= import.range.begin,
               "import.range");
    record.imports.push_back(std::move(import));
  }

  const std::size_t n_chunks = in.count("chunks", 4);
  for (std::size_t i = 0; i < n_chunks && in.ok(); ++i) {
    Chunk chunk = read_chunk(in, record);
    in.require(record.chunks.empty() || record.chunks.back().range.end <= chunk.range.begin,
               "chunk.range");
    record.chunks.push_back(std::move(chunk));
  }
  in.require(in.n_left() == 0, "end");
  if (!in.ok()) return tl::unexpected(in.error());
  return record;
}

}  // namespace kinglet::indexer
