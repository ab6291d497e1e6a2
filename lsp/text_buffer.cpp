#include "lsp/text_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <iterator>

namespace kinglet::lsp {
namespace {

struct Character {
  std::uint32_t n_bytes;
  bool is_astral;  // two UTF-16 units
};

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

// The character at `at`; a byte that begins no whole UTF-8 sequence is one by itself.
Character character_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::uint32_t n_bytes = lead < 0xC2   ? 1
                                : lead < 0xE0 ? 2
                                : lead < 0xF0 ? 3
                                : lead < 0xF5 ? 4
                                              : 1;
  if (n_bytes == 1 || text.size() - at < n_bytes) return {1, false};
  for (std::uint32_t i = 1; i < n_bytes; ++i) {
    if (!is_continuation(text[at + i])) return {1, false};
  }
  return {n_bytes, n_bytes == 4};
}

std::uint32_t units_of(Character character, PositionEncoding encoding) {
  switch (encoding) {
    case PositionEncoding::kUtf8:
      return character.n_bytes;
    case PositionEncoding::kUtf16:
      return character.is_astral ? 2 : 1;
    case PositionEncoding::kUtf32:
      return 1;
  }
  return 1;
}

// How many of the bytes from `at` are ASCII, in steps of eight: in those a column is a byte.
std::uint32_t ascii_run(std::string_view text, std::size_t at, std::size_t end) {
  const std::size_t begin = at;
  for (std::uint64_t word = 0; at + sizeof(word) <= end; at += sizeof(word)) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return static_cast<std::uint32_t>(at - begin);
}

// The start of the character that holds byte `at` (`at` itself between two).
std::uint32_t snap_to_character(std::string_view text, std::uint32_t line_begin, std::uint32_t at) {
  if (at >= text.size() || !is_continuation(text[at])) return at;
  for (std::uint32_t back = 1; back <= 3 && at - line_begin >= back; ++back) {
    const std::uint32_t start = at - back;
    if (is_continuation(text[start])) continue;
    return start + character_at(text, start).n_bytes > at ? start : at;
  }
  return at;
}

// A line starts behind LF, behind CRLF, and behind a CR that no LF follows. Depends on the bytes
// right before and right at `at` alone, which is what makes replace() local.
bool is_line_start(std::string_view text, std::size_t at) {
  const char before = text[at - 1];
  return before == '\n' || (before == '\r' && (at == text.size() || text[at] != '\n'));
}

void append_line_starts(std::string_view text,
                        std::size_t from,
                        std::size_t to,
                        std::vector<std::uint32_t>& starts) {
  for (std::size_t at = std::max<std::size_t>(from, 1); at <= to; ++at) {
    if (is_line_start(text, at)) starts.push_back(static_cast<std::uint32_t>(at));
  }
}

}  // namespace

TextBuffer::TextBuffer(std::string text) : text_(std::move(text)), line_starts_{0} {
  append_line_starts(text_, 1, text_.size(), line_starts_);
}

ByteRange TextBuffer::line(std::uint32_t line) const {
  assert(line < n_lines());
  const std::uint32_t begin = line_starts_[line];
  std::uint32_t end = line + 1 < n_lines() ? line_starts_[line + 1] : n_bytes();
  if (line + 1 < n_lines()) {
    if (end > begin && text_[end - 1] == '\n') --end;
    if (end > begin && text_[end - 1] == '\r') --end;
  }
  return {begin, end};
}

std::uint32_t TextBuffer::line_of(ByteOffset offset) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), value(offset));
  return static_cast<std::uint32_t>(next - line_starts_.begin()) - 1;
}

Result<ByteOffset> TextBuffer::offset(Position position, PositionEncoding encoding) const {
  if (position.line >= n_lines()) {
    return fail(ErrorCode::kInvalidArgument,
                "line " + std::to_string(position.line) + " is past the document's end (" +
                    std::to_string(n_lines()) + " lines, counted from 0)");
  }
  const ByteRange line_range = line(position.line);
  if (encoding == PositionEncoding::kUtf8) {
    const std::uint32_t at = line_range.begin + std::min(position.character, line_range.size());
    return ByteOffset{snap_to_character(text_, line_range.begin, at)};
  }
  std::uint32_t at = line_range.begin;
  std::uint32_t left = position.character;
  while (at < line_range.end && left > 0) {
    const std::uint32_t n_ascii = std::min(ascii_run(text_, at, line_range.end), left);
    if (n_ascii > 0) {
      at += n_ascii;
      left -= n_ascii;
      continue;
    }
    const Character character = character_at(text_, at);
    const std::uint32_t n_units = units_of(character, encoding);
    if (n_units > left) break;
    at += character.n_bytes;
    left -= n_units;
  }
  return ByteOffset{at};
}

Position TextBuffer::position(ByteOffset offset, PositionEncoding encoding) const {
  const std::uint32_t target = std::min(value(offset), n_bytes());
  const std::uint32_t line_idx = line_of(ByteOffset{target});
  const std::uint32_t begin = line_starts_[line_idx];
  if (encoding == PositionEncoding::kUtf8) {
    return {line_idx, snap_to_character(text_, begin, target) - begin};
  }
  std::uint32_t character_idx = 0;
  for (std::uint32_t at = begin; at < target;) {
    if (const std::uint32_t n_ascii = ascii_run(text_, at, target); n_ascii > 0) {
      at += n_ascii;
      character_idx += n_ascii;
      continue;
    }
    const Character character = character_at(text_, at);
    if (at + character.n_bytes > target) break;
    at += character.n_bytes;
    character_idx += units_of(character, encoding);
  }
  return {line_idx, character_idx};
}

bool TextBuffer::is_boundary(ByteOffset offset) const {
  const std::uint32_t at = value(offset);
  return at <= n_bytes() && snap_to_character(text_, 0, at) == at;
}

void TextBuffer::replace(ByteRange range, std::string_view with) {
  assert(range.begin <= range.end && range.end <= n_bytes());
  text_.replace(range.begin, range.size(), with);

  // Line starts before the range stay, those behind its end move, those between are found anew
  // (see is_line_start: the one right at the range's end depends on a byte that was replaced).
  const auto first = std::lower_bound(line_starts_.begin() + 1, line_starts_.end(), range.begin);
  const auto last = std::upper_bound(first, line_starts_.end(), range.end);
  const auto n_with = static_cast<std::uint32_t>(with.size());
  std::vector<std::uint32_t> between;
  append_line_starts(text_, range.begin, range.begin + n_with, between);
  for (auto moved = last; moved != line_starts_.end(); ++moved)
    *moved += n_with - range.size();

  const auto n_old = static_cast<std::size_t>(last - first);
  const std::size_t n_common = std::min(n_old, between.size());
  const auto rest = std::copy_n(between.begin(), n_common, first);
  if (n_old > n_common) {
    line_starts_.erase(rest, last);
  } else {
    line_starts_.insert(
        rest, between.begin() + static_cast<std::ptrdiff_t>(n_common), between.end());
  }
}

}  // namespace kinglet::lsp
