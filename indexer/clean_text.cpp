#include "indexer/clean_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace kinglet::indexer {
namespace {

constexpr char32_t kInvalid = 0xFFFFFFFF;

struct Decoded {
  char32_t character;   // kInvalid: `n_bytes` is 1 and the byte belongs to no character
  std::size_t n_bytes;  // at least 1
};

// Shortest forms only, no surrogates, nothing past U+10FFFF.
Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t n_bytes = 0;
  char32_t character = 0;
  char32_t least = 0;
  if ((lead & 0xE0) == 0xC0) {
    n_bytes = 2, character = lead & 0x1F, least = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    n_bytes = 3, character = lead & 0x0F, least = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    n_bytes = 4, character = lead & 0x07, least = 0x10000;
  } else {
    return {kInvalid, 1};
  }
  if (text.size() - at < n_bytes) return {kInvalid, 1};
  for (std::size_t i = 1; i < n_bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {kInvalid, 1};
    character = character << 6 | (byte(i) & 0x3F);
  }
  const bool is_surrogate = character >= 0xD800 && character <= 0xDFFF;
  if (character < least || character > 0x10FFFF || is_surrogate) return {kInvalid, 1};
  return {character, n_bytes};
}

struct CharacterRange {
  char32_t first, last;
};
// Sorted. Default-ignorable and direction-changing characters; not U+FE0F, which emoji carry.
constexpr std::array<CharacterRange, 19> kInvisible = {{
    {0x0080, 0x009F},                                          // C1 controls
    {0x00AD, 0x00AD},                                          // soft hyphen
    {0x034F, 0x034F},                                          // grapheme joiner
    {0x061C, 0x061C},                                          // Arabic letter mark
    {0x115F, 0x1160},                                          // Hangul fillers
    {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},  // zero width, direction marks
    {0x2028, 0x2029},                                          // line and paragraph separator
    {0x202A, 0x202E},                                          // direction embeddings and overrides
    {0x2060, 0x206F},                                          // word joiner, isolates
    {0x3164, 0x3164},   {0xFE00, 0xFE0E},                      // variation selectors
    {0xFEFF, 0xFEFF},                                          // byte order mark
    {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},   {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},  // tags, more variation selectors
}};

bool is_invisible(char32_t character) {
  const auto after = std::upper_bound(
      kInvisible.begin(), kInvisible.end(), character, [](char32_t c, const CharacterRange& range) {
        return c < range.first;
      });
  return after != kInvisible.begin() && character <= std::prev(after)->last;
}

bool is_control(char32_t character) {
  return (character < 0x20 && character != '\n' && character != '\t') || character == 0x7F;
}

// Where the run of characters ends that are as they should be and take one byte: most text is
// nothing else.
std::size_t end_of_plain(std::string_view text, std::size_t at) {
  const auto is_plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte < 0x7F) || c == '\n' || c == '\t';
  };
  while (at < text.size() && is_plain(text[at]))
    ++at;
  return at;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (std::size_t at = end_of_plain(text, 0); at < text.size(); at = end_of_plain(text, at)) {
    const Decoded next = decode(text, at);
    if (next.character == kInvalid) return false;
    at += next.n_bytes;
  }
  return true;
}

bool is_clean(std::string_view text) {
  for (std::size_t at = end_of_plain(text, 0); at < text.size(); at = end_of_plain(text, at)) {
    const Decoded next = decode(text, at);
    if (next.character == kInvalid || is_control(next.character)) return false;
    if (next.character >= 0x80 && is_invisible(next.character)) return false;
    at += next.n_bytes;
  }
  return true;
}

std::string clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t end = end_of_plain(text, at); end > at) {
      out += text.substr(at, end - at);
      at = end;
      continue;
    }
    const Decoded next = decode(text, at);
    if (next.character == kInvalid) {
      out += "\xEF\xBF\xBD";
    } else if (next.character == '\r') {
      const bool before_line_feed = at + 1 < text.size() && text[at + 1] == '\n';
      if (!before_line_feed) out += '\n';
    } else if (is_control(next.character)) {
      out += ' ';
    } else if (next.character >= 0x80 && is_invisible(next.character)) {
      std::array<char, 16> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u{%x}", static_cast<unsigned>(next.character));
      out += escape.data();
    } else {
      out += text.substr(at, next.n_bytes);
    }
    at += next.n_bytes;
  }
  return out;
}

}  // namespace kinglet::indexer
