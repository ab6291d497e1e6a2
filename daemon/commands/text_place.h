// A place in a file, as people give it on the command line and as the protocol wants it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "lsp/json.h"
#include "lsp/protocol.h"

namespace kinglet::daemon {

/// "FILE:LINE:COLUMN", counted from 1; the column in bytes.
struct FilePlace {
  std::string file;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};
std::optional<FilePlace> parse_place(std::string_view text);

/// A file that is to be opened in a session, and a place in it.
struct TextPlace {
  std::filesystem::path file;  // absolute, without links
  std::string text;            // UTF-8
  lsp::Position position;      // its column in bytes of `text`

  /// Params of textDocument/didOpen.
  lsp::Json opening() const;
  /// TextDocumentPositionParams.
  lsp::Json params() const;
};

/// Reads the file of "FILE:LINE:COLUMN". As in editors, a column past the line's end means its end,
/// and one inside a character its start. Errors, each naming the file and what to give instead:
/// kInvalidArgument (no place; a folder; no such line), kNotFound, kUnsupported (binary, too large,
/// no regular file), kIo.
Result<TextPlace> read_place(const std::string& text);

}  // namespace kinglet::daemon
