// A text as an editor's user sees it: characters, one after the other, every question answered by
// walking from the start. The reference for TextBuffer; shares no code with it.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "lsp/protocol.h"

namespace kinglet::lsp::test {

inline std::string to_utf8(const std::u32string& text) {
  std::string bytes;
  for (const char32_t c : text) {
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if (c < 0x800) {
      bytes += static_cast<char>(0xC0 | c >> 6);
      bytes += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
      bytes += static_cast<char>(0xE0 | c >> 12);
      bytes += static_cast<char>(0x80 | (c >> 6 & 63));
      bytes += static_cast<char>(0x80 | (c & 63));
    } else {
      bytes += static_cast<char>(0xF0 | c >> 18);
      bytes += static_cast<char>(0x80 | (c >> 12 & 63));
      bytes += static_cast<char>(0x80 | (c >> 6 & 63));
      bytes += static_cast<char>(0x80 | (c & 63));
    }
  }
  return bytes;
}

/// Up to `max` characters: line ends of all kinds, ASCII (sometimes a run, to reach the fast path),
/// two- and three-byte, combining, astral, NUL.
inline std::u32string random_text(std::mt19937& random, std::size_t max) {
  static const std::u32string kAlphabet =
      U"\n\r\r\n ab(){};éßΩ漢字\u0301\u200d😀𝔸🏳" + std::u32string(1, U'\0');
  std::u32string text;
  for (std::size_t n = random() % (max + 1); n > 0; --n) {
    if (random() % 16 == 0) text += U"return value_of";
    text += kAlphabet[random() % kAlphabet.size()];
  }
  return text;
}

class NaiveText {
 public:
  explicit NaiveText(std::u32string text) : text_(std::move(text)) {}

  std::string utf8() const { return to_utf8(text_); }
  std::size_t size() const { return text_.size(); }
  std::uint32_t n_lines() const { return static_cast<std::uint32_t>(lines().size()); }

  /// Any line; a column up to a little past its end, so that snapping and clamping happen.
  Position random_position(std::mt19937& random, PositionEncoding encoding) const {
    const auto all = lines();
    const std::size_t line = random() % all.size();
    std::uint32_t n_units = 0;
    for (std::size_t i = all[line].first; i < all[line].second; ++i)
      n_units += units(i, encoding);
    return {static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(random() % (n_units + 3))};
  }

  std::size_t byte_offset(Position position, PositionEncoding encoding) const {
    return to_utf8(text_.substr(0, index(position, encoding))).size();
  }

  /// The position that `position` stands for: clamped to its line, at a character's start.
  Position snapped(Position position, PositionEncoding encoding) const {
    const std::size_t end = index(position, encoding);
    std::uint32_t character = 0;
    for (std::size_t i = lines()[position.line].first; i < end; ++i) {
      character += units(i, encoding);
    }
    return {position.line, character};
  }

  void replace(Position start,
               Position end,
               PositionEncoding encoding,
               const std::u32string& with) {
    const std::size_t from = index(start, encoding);
    const std::size_t to = index(end, encoding);
    text_ = text_.substr(0, from) + with + text_.substr(to);
  }

 private:
  // [first, end) of each line's characters, without the line end.
  std::vector<std::pair<std::size_t, std::size_t>> lines() const {
    std::vector<std::pair<std::size_t, std::size_t>> lines;
    std::size_t first = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] != U'\n' && text_[i] != U'\r') continue;
      lines.emplace_back(first, i);
      if (text_[i] == U'\r' && i + 1 < text_.size() && text_[i + 1] == U'\n') ++i;
      first = i + 1;
    }
    lines.emplace_back(first, text_.size());
    return lines;
  }

  std::uint32_t units(std::size_t i, PositionEncoding encoding) const {
    if (encoding == PositionEncoding::kUtf32) return 1;
    if (encoding == PositionEncoding::kUtf16) return text_[i] > 0xFFFF ? 2 : 1;
    return static_cast<std::uint32_t>(to_utf8(text_.substr(i, 1)).size());
  }

  std::size_t index(Position position, PositionEncoding encoding) const {
    const auto [first, end] = lines()[position.line];
    std::uint32_t n_units = 0;
    for (std::size_t i = first; i < end; ++i) {
      n_units += units(i, encoding);
      if (n_units > position.character) return i;
    }
    return end;
  }

  std::u32string text_;
};

}  // namespace kinglet::lsp::test
