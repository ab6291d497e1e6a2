// Identifiers as a lexer without a language sees them: letters, digits, '_' and whatever lies
// beyond ASCII, not beginning with a digit.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace kinglet::indexer {

namespace detail {
constexpr std::array<bool, 256> identifier_bytes() {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    table[static_cast<std::size_t>(c)] = letter || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
  }
  return table;
}
inline constexpr std::array<bool, 256> kIdentifierBytes = identifier_bytes();
}  // namespace detail

inline bool is_identifier_byte(char c) {
  return detail::kIdentifierBytes[static_cast<unsigned char>(c)];
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Calls `visit(offset, identifier)` for each one, in order.
template <class Visit>
void for_each_identifier(std::string_view text, Visit visit) {
  for (std::size_t at = 0; at < text.size();) {
    if (!is_identifier_byte(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && is_identifier_byte(text[at]))
      ++at;
    if (!is_digit(text[begin])) visit(begin, text.substr(begin, at - begin));
  }
}

}  // namespace kinglet::indexer
