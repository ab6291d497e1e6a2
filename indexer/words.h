// Words and blanks in source text, for readers without a grammar.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>

#include "indexer/identifiers.h"

namespace kinglet::indexer {

/// Longer identifiers are data.
inline constexpr std::size_t kMaxNameBytes = 512;

inline bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

inline std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at]))
    ++at;
  return at;
}

// One past the last byte before `at` that is not blank; not below `begin`.
inline std::size_t back_over_blanks(std::string_view text, std::size_t at, std::size_t begin = 0) {
  while (at > begin && is_blank(text[at - 1]))
    --at;
  return at;
}

// The identifier that ends at `end`; may be empty.
inline std::string_view word_before(std::string_view text, std::size_t end, std::size_t begin = 0) {
  std::size_t at = end;
  while (at > begin && end - at < kMaxNameBytes && is_identifier_byte(text[at - 1]))
    --at;
  return text.substr(at, end - at);
}

inline std::string_view word_at(std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  while (at < text.size() && at - begin < kMaxNameBytes && is_identifier_byte(text[at]))
    ++at;
  return text.substr(begin, at - begin);
}

template <std::size_t N>
inline bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

}  // namespace kinglet::indexer
