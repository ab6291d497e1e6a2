#include "daemon/commands/text_place.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "daemon/commands/text_file.h"
#include "indexer/clean_text.h"
#include "indexer/scan.h"
#include "lsp/text_buffer.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

namespace fs = std::filesystem;
using lsp::Json;

namespace {

// Its text grows when it is written as JSON, and must stay below lsp::kMaxBodyBytes.
constexpr std::uintmax_t kMaxFileBytes = 8 << 20;

Result<std::string> read_source(const fs::path& file, const std::string& shown) {
  std::error_code error;
  if (fs::is_directory(file, error)) {
    return fail(ErrorCode::kInvalidArgument, shown + " is a folder; give a file in it");
  }
  // A pipe would be waited for.
  if (!fs::is_regular_file(file, error)) {
    return fail(ErrorCode::kUnsupported, shown + " is no regular file; give a text file");
  }
  const std::uintmax_t n_bytes = fs::file_size(file, error);
  if (!error && n_bytes > kMaxFileBytes) {
    return fail(ErrorCode::kUnsupported,
                shown + " has " + std::to_string(n_bytes >> 20) + " MiB; give a file of at most " +
                    std::to_string(kMaxFileBytes >> 20) + " MiB");
  }
  std::string text = TRY(read_text_file(file.string()));
  const auto why_not = indexer::judge_content(file.generic_string(), text);
  if (why_not && why_not->reason == indexer::LeftOut::kBinary) {
    return fail(ErrorCode::kUnsupported,
                shown + " is binary (" + why_not->detail + "); give a text file");
  }
  return text;
}

}  // namespace

std::optional<FilePlace> parse_place(std::string_view text) {
  FilePlace place;
  for (std::uint32_t* number : {&place.column, &place.line}) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), *number);
    if (error != std::errc() || end != digits.data() + digits.size() || *number == 0) {
      return std::nullopt;
    }
    text = text.substr(0, colon);
  }
  if (text.empty()) return std::nullopt;
  place.file = text;
  return place;
}

Json TextPlace::opening() const {
  return {{"textDocument",
           {{"uri", lsp::uri_from_path(file.string())},
            {"languageId", ""},
            {"version", 1},
            {"text", text}}}};
}

Json TextPlace::params() const {
  return {{"textDocument", {{"uri", lsp::uri_from_path(file.string())}}},
          {"position", {{"line", position.line}, {"character", position.character}}}};
}

Result<TextPlace> read_place(const std::string& text) {
  const auto asked = parse_place(text);
  if (!asked) {
    return fail(ErrorCode::kInvalidArgument,
                "\"" + text + "\" is no place; give FILE:LINE:COLUMN, counted from 1");
  }
  std::error_code error;
  TextPlace place;
  place.file = fs::canonical(asked->file, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return fail(ErrorCode::kNotFound, "no such file: " + asked->file + "; give one that is there");
  }
  if (error) {
    return fail(ErrorCode::kIo, "cannot open " + asked->file + ": " + error.message());
  }
  place.text = TRY(read_source(place.file, asked->file));
  lsp::TextBuffer buffer(place.text);
  if (asked->line > buffer.n_lines()) {
    return fail(ErrorCode::kInvalidArgument,
                asked->file + " has no line " + std::to_string(asked->line) +
                    "; give one of 1 to " + std::to_string(buffer.n_lines()));
  }
  constexpr auto kColumns = lsp::PositionEncoding::kUtf8;
  ByteOffset at =
      TRY(buffer.offset({.line = asked->line - 1, .character = asked->column - 1}, kColumns));
  if (!indexer::is_valid_utf8(place.text)) {
    // JSON holds nothing else. What is made of the text before the place begins what is made of
    // all.
    const std::string before = indexer::clean(std::string_view(place.text).substr(0, value(at)));
    place.text = indexer::clean(place.text);
    buffer = lsp::TextBuffer(place.text);
    at = ByteOffset{static_cast<std::uint32_t>(before.size())};
  }
  place.position = buffer.position(at, kColumns);
  return place;
}

}  // namespace kinglet::daemon
