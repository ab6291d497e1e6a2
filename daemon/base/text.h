// Text positions. Inside Kinglet a position is a byte offset into UTF-8 text; lines and UTF-16
// columns exist only at the wire (lsp/documents.h turns one into the other).
#pragma once

#include <cstdint>
#include <string_view>

namespace kinglet {

/// Offset in bytes from the start of a text.
enum class ByteOffset : std::uint32_t {};
constexpr std::uint32_t value(ByteOffset offset) {
  return static_cast<std::uint32_t>(offset);
}

/// Half-open range of bytes of one text.
struct ByteRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  std::uint32_t size() const { return end - begin; }
  bool contains(std::uint32_t offset) const { return begin <= offset && offset < end; }
  bool overlaps(ByteRange other) const { return begin < other.end && other.begin < end; }
  std::string_view of(std::string_view text) const { return text.substr(begin, size()); }
  friend bool operator==(ByteRange, ByteRange) = default;
};

}  // namespace kinglet
