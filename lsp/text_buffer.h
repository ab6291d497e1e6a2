// One document's text with its line table: the only place where lines and columns become bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/text.h"
#include "lsp/protocol.h"

namespace kinglet::lsp {

/// UTF-8 text and where its lines start. A line ends with LF, CRLF or CR; the text behind the last
/// line end is a line too, so there is always one. Bytes that are not UTF-8 count as one character
/// each. A value type; concurrent reads are fine.
class TextBuffer {
 public:
  explicit TextBuffer(std::string text = {});

  std::string_view text() const { return text_; }
  std::uint32_t n_bytes() const { return static_cast<std::uint32_t>(text_.size()); }
  std::uint32_t n_lines() const { return static_cast<std::uint32_t>(line_starts_.size()); }

  /// The line's bytes without its line end. REQUIRES: line < n_lines().
  ByteRange line(std::uint32_t line) const;
  std::uint32_t line_of(ByteOffset offset) const;

  /// Where `position` lies. A column past the line's end means its end; one inside a character (a
  /// surrogate pair, a UTF-8 sequence) means its start. Errors: kInvalidArgument for a line past
  /// the text's end.
  Result<ByteOffset> offset(Position position, PositionEncoding encoding) const;

  /// The inverse. An offset past the end means the end, one inside a character its start.
  Position position(ByteOffset offset, PositionEncoding encoding) const;

  /// True if a byte offset lies between two characters.
  bool is_boundary(ByteOffset offset) const;

  /// Replaces bytes; the cost is that of the bytes moved and the line starts behind them.
  /// REQUIRES: range within the text.
  void replace(ByteRange range, std::string_view with);

 private:
  std::string text_;
  std::vector<std::uint32_t> line_starts_;
};

}  // namespace kinglet::lsp
