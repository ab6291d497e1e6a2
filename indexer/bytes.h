// Numbers and strings as bytes: LEB128 for numbers, a length before each string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kinglet::indexer {

inline void write_number(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}

inline void write_string(std::string& out, std::string_view text) {
  write_number(out, text.size());
  out += text;
}

/// Reads what the functions above wrote; nothing past the end is touched, whatever the bytes say.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t offset() const { return at_; }
  std::size_t n_left() const { return bytes_.size() - at_; }

  std::optional<std::uint64_t> number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return std::nullopt;
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      if (shift == 63 && byte > 1) return std::nullopt;  // past 64 bits
      number |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return number;
    }
    return std::nullopt;
  }

  /// REQUIRES: so many are left.
  void skip(std::size_t n) { at_ += n; }

  std::optional<std::string_view> string() {
    const auto size = number();
    if (!size || *size > n_left()) return std::nullopt;
    const auto text = bytes_.substr(at_, *size);
    at_ += *size;
    return text;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace kinglet::indexer
