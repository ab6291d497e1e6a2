#include "indexer/clang/semantic_record.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "indexer/bytes.h"

namespace kinglet::indexer::clang {

namespace {

constexpr std::uint64_t kVersion = 1;

void write_key(std::string& out, SymbolKey key) {
  const auto number = static_cast<std::uint64_t>(key);
  char bytes[8];
  std::memcpy(bytes, &number, 8);
  out.append(bytes, 8);
}

void write_symbol(std::string& out, const SemanticSymbol& symbol) {
  write_key(out, symbol.key);
  write_string(out, symbol.name);
  out += static_cast<char>(symbol.kind);
  out += static_cast<char>(symbol.is_local);
  write_key(out, symbol.owner);
  write_number(out, symbol.overrides.size());
  for (const SymbolKey key : symbol.overrides)
    write_key(out, key);
  out += static_cast<char>(symbol.outside.has_value());
  if (!symbol.outside) return;
  write_string(out, symbol.outside->path);
  write_number(out, symbol.outside->line);
  write_number(out, symbol.outside->column);
}

void write_file(std::string& out, const FileSemantics& file) {
  write_string(out, file.path);
  write_key(out, SymbolKey{file.hash.high});
  write_key(out, SymbolKey{file.hash.low});
  write_number(out, file.n_bytes);
  write_number(out, file.symbols.size());
  for (const auto& symbol : file.symbols)
    write_symbol(out, symbol);
  write_number(out, file.occurrences.size());
  std::uint32_t last = 0;
  for (const Occurrence& occurrence : file.occurrences) {
    write_number(out, occurrence.offset - std::exchange(last, occurrence.offset));
    write_number(out, occurrence.length);
    out += static_cast<char>(static_cast<unsigned>(occurrence.role) |
                             (occurrence.is_implicit ? 0x80U : 0U));
    write_number(out, occurrence.symbol_idx);
    write_number(out, std::uint32_t{occurrence.container_idx + 1});
  }
}

/// Reads on until something does not hold; from then on everything is zero.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : reader_(bytes), bytes_(bytes) {}

  bool is_good() const { return is_good_; }
  bool is_at_end() const { return is_good_ && reader_.n_left() == 0; }
  std::size_t offset() const { return reader_.offset(); }
  void check(bool holds) { is_good_ = is_good_ && holds; }

  std::uint64_t number(std::uint64_t most) {
    const auto number = is_good_ ? reader_.number() : std::nullopt;
    check(number && *number <= most);
    return is_good_ ? *number : 0;
  }
  std::uint32_t number32() { return static_cast<std::uint32_t>(number(0xFFFF'FFFF)); }
  /// Of things that take at least a byte each.
  std::size_t count() { return static_cast<std::size_t>(number(reader_.n_left())); }
  std::string string() {
    const auto text = is_good_ ? reader_.string() : std::nullopt;
    check(text.has_value());
    return is_good_ ? std::string(*text) : std::string();
  }
  std::uint8_t byte(unsigned most) {
    const auto bytes = fixed(1);
    const auto byte = is_good_ ? static_cast<std::uint8_t>(bytes[0]) : std::uint8_t{0};
    check(byte <= most);
    return is_good_ ? byte : std::uint8_t{0};
  }
  SymbolKey key() {
    const auto bytes = fixed(8);
    std::uint64_t number = 0;
    if (is_good_) std::memcpy(&number, bytes.data(), 8);
    return SymbolKey{number};
  }

 private:
  std::string_view fixed(std::size_t n) {
    check(reader_.n_left() >= n);
    if (!is_good_) return {};
    const auto bytes = bytes_.substr(reader_.offset(), n);
    reader_.skip(n);
    return bytes;
  }

  ByteReader reader_;
  std::string_view bytes_;
  bool is_good_ = true;
};

/// Below the root: no "..", not absolute, no control characters.
bool is_inside(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return std::ranges::none_of(path, [](unsigned char c) { return c < 0x20; });
}

SemanticSymbol read_symbol(Reader& in) {
  SemanticSymbol symbol;
  symbol.key = in.key();
  symbol.name = in.string();
  symbol.kind = static_cast<SymbolKind>(in.byte(kSymbolKinds - 1));
  symbol.is_local = in.byte(1) == 1;
  symbol.owner = in.key();
  const std::size_t n_overrides = in.count();
  for (std::size_t i = 0; in.is_good() && i < n_overrides; ++i)
    symbol.overrides.push_back(in.key());
  in.check(std::ranges::is_sorted(symbol.overrides));
  if (in.byte(1) == 1) {
    OutsidePlace& place = symbol.outside.emplace();
    place.path = in.string();
    place.line = in.number32();
    place.column = in.number32();
    in.check(place.path.starts_with('/'));
  }
  return symbol;
}

auto order_of(const Occurrence& occurrence) {
  return std::tuple(
      occurrence.offset, occurrence.symbol_idx, occurrence.role, occurrence.is_implicit);
}

Occurrence read_occurrence(Reader& in, std::uint32_t last, const FileSemantics& file) {
  Occurrence occurrence;
  occurrence.offset = last + static_cast<std::uint32_t>(in.number(file.n_bytes));
  occurrence.length = static_cast<std::uint16_t>(in.number(0xFFFF));
  const unsigned role = in.byte(0xFF);
  occurrence.is_implicit = (role & 0x80U) != 0;
  in.check((role & 0x7FU) < kRoles);
  occurrence.role = static_cast<Role>(role & 0x7FU);
  occurrence.symbol_idx = in.number32();
  occurrence.container_idx = in.number32() - 1;
  const auto is_index = [&](std::uint32_t idx) { return idx < file.symbols.size(); };
  in.check(is_index(occurrence.symbol_idx));
  in.check(occurrence.container_idx == kNoContainer || is_index(occurrence.container_idx));
  in.check(std::uint64_t{occurrence.offset} + occurrence.length <= file.n_bytes);
  return occurrence;
}

FileSemantics read_file(Reader& in) {
  FileSemantics file;
  file.path = in.string();
  in.check(is_inside(file.path));
  file.hash.high = static_cast<std::uint64_t>(in.key());
  file.hash.low = static_cast<std::uint64_t>(in.key());
  file.n_bytes = static_cast<std::uint32_t>(in.number(0x7FFF'FFFF));
  const std::size_t n_symbols = in.count();
  for (std::size_t i = 0; in.is_good() && i < n_symbols; ++i) {
    file.symbols.push_back(read_symbol(in));
    in.check(i == 0 || file.symbols[i - 1].key < file.symbols[i].key);
  }
  const std::size_t n_occurrences = in.count();
  for (std::size_t i = 0; in.is_good() && i < n_occurrences; ++i) {
    const std::uint32_t last = i == 0 ? 0 : file.occurrences.back().offset;
    file.occurrences.push_back(read_occurrence(in, last, file));
    in.check(i == 0 || order_of(file.occurrences[i - 1]) < order_of(file.occurrences[i]));
  }
  return file;
}

}  // namespace

SymbolKey key_of(std::string_view usr) {
  return SymbolKey{hash_chunk(usr)};
}

std::string serialize(const UnitRecord& record) {
  std::string out;
  write_number(out, kVersion);
  write_string(out, record.main_path);
  write_number(out, record.n_errors);
  write_number(out, record.files.size());
  for (const auto& file : record.files)
    write_file(out, file);
  write_number(out, record.includes.size());
  for (const auto& include : record.includes) {
    write_string(out, include.from);
    write_string(out, include.to);
  }
  return out;
}

Result<UnitRecord> deserialize(std::string_view bytes) {
  Reader in(bytes);
  UnitRecord record;
  in.check(in.number(kVersion) == kVersion);
  record.main_path = in.string();
  in.check(is_inside(record.main_path));
  record.n_errors = in.number32();
  const std::size_t n_files = in.count();
  for (std::size_t i = 0; in.is_good() && i < n_files; ++i) {
    record.files.push_back(read_file(in));
    in.check(i == 0 || record.files[i - 1].path < record.files[i].path);
  }
  const std::size_t n_includes = in.count();
  for (std::size_t i = 0; in.is_good() && i < n_includes; ++i) {
    auto& include = record.includes.emplace_back();
    include.from = in.string();
    include.to = in.string();
    in.check(is_inside(include.from) && is_inside(include.to));
  }
  in.check(std::ranges::is_sorted(record.includes));
  if (!in.is_at_end()) {
    return fail(ErrorCode::kCorrupt,
                "A semantic record does not hold at its byte " + std::to_string(in.offset()) + ".");
  }
  return record;
}

}  // namespace kinglet::indexer::clang
