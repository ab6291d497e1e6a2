// UTF-8 as the tokenizers read it: whole characters where they are well formed, single bytes else.
#pragma once

#include <cstddef>
#include <string_view>

namespace kinglet::inference {

/// Bytes of the well-formed character (Unicode 15, table 3-7) that the text begins with; 0 where it
/// begins with none. REQUIRES a text that is not empty.
inline std::size_t well_formed_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xc2   ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Longer than needed, halves of UTF-16 pairs, beyond U+10FFFF.
  const bool is_wrong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) ||
                        (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f);
  return is_wrong ? 0 : length;
}

/// As above, but 1 for a byte that begins no character.
inline std::size_t character_length(std::string_view text) {
  const std::size_t length = well_formed_length(text);
  return length == 0 ? 1 : length;
}

}  // namespace kinglet::inference
