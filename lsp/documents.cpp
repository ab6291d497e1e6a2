#include "lsp/documents.h"

#include <optional>
#include <utility>

namespace kinglet::lsp {
namespace {

tl::unexpected<Error> not_open(std::string_view uri) {
  return fail(ErrorCode::kNotFound, "document not open: " + std::string(uri));
}

// Editors also name the whole document as 0:0 to a line behind its end. Nothing of the old text is
// left then. While that is unknown, only a line that no document has is surely behind its end.
bool replaces_everything(const Range& range, const TextBuffer& text, bool is_synced) {
  const std::size_t first_line_behind = is_synced ? text.n_lines() : kMaxDocumentBytes + 1;
  return range.start == Position{} && range.end.line >= first_line_behind;
}

Result<ByteRange> edited_bytes(const TextBuffer& text, Range range, PositionEncoding encoding) {
  // By the specification a position on the line behind the last one is the document's end.
  const auto to_offset = [&](Position position) -> Result<ByteOffset> {
    if (position.line == text.n_lines()) return ByteOffset{text.n_bytes()};
    const ByteOffset offset = TRY(text.offset(position, encoding));
    // A column inside a character was snapped to its start. For a change that would be a guess:
    // the client now holds half a character there, and we would not.
    const Position snapped = text.position(offset, encoding);
    const ByteRange line = text.line(position.line);
    if (snapped.character < position.character && value(offset) < line.end) {
      return fail(ErrorCode::kInvalidArgument,
                  "column " + std::to_string(position.character) + " of line " +
                      std::to_string(position.line) + " cuts a character");
    }
    return offset;
  };
  const ByteOffset begin = TRY(to_offset(range.start));
  const ByteOffset end = TRY(to_offset(range.end));
  if (range.end < range.start)
    return fail(ErrorCode::kInvalidArgument, "its end precedes its start");
  return ByteRange{value(begin), value(end)};
}

Result<void> apply(const TextDocumentContentChangeEvent& change,
                   PositionEncoding encoding,
                   bool& is_synced,
                   TextBuffer& text) {
  if (!change.range || replaces_everything(*change.range, text, is_synced)) {
    text = TextBuffer(change.text);
    is_synced = true;
    return {};
  }
  if (!is_synced) return {};  // nothing to apply it to; a later full text of this batch may heal
  const ByteRange bytes = TRY(edited_bytes(text, *change.range, encoding));
  if (text.n_bytes() - bytes.size() + change.text.size() > kMaxDocumentBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "the document would grow above " + std::to_string(kMaxDocumentBytes) + " bytes");
  }
  text.replace(bytes, change.text);
  return {};
}

}  // namespace

Result<void> Documents::open(DidOpenTextDocumentParams params) {
  TextDocumentItem& item = params.textDocument;
  documents_.insert_or_assign(
      item.uri,
      Document{.uri = item.uri,
               .languageId = std::move(item.languageId),
               .version = item.version,
               .text = std::make_shared<const TextBuffer>(std::move(item.text)),
               .is_synced = true});
  return {};
}

Result<void> Documents::change(const DidChangeTextDocumentParams& params) {
  const auto entry = documents_.find(params.textDocument.uri);
  if (entry == documents_.end()) return not_open(params.textDocument.uri);
  Document& document = entry->second;
  const std::string name = document.uri + " version " + std::to_string(params.textDocument.version);
  std::optional<Error> problem;
  bool is_synced = document.is_synced;
  if (params.textDocument.version <= document.version) {
    problem =
        Error{ErrorCode::kInvalidArgument,
              name + ": versions must rise, this one follows " + std::to_string(document.version)};
    is_synced = false;
  }
  if (params.malformed) {
    problem = Error{ErrorCode::kInvalidArgument, name + ": " + *params.malformed};
    is_synced = false;
  }
  TextBuffer text = *document.text;
  for (std::size_t i = 0; i < params.contentChanges.size(); ++i) {
    const auto applied = apply(params.contentChanges[i], encoding_, is_synced, text);
    if (applied) continue;
    problem = Error{ErrorCode::kInvalidArgument,
                    name + ": change " + std::to_string(i) + ": " + applied.error().message};
    is_synced = false;
  }
  document.version = params.textDocument.version;
  document.is_synced = is_synced;
  if (is_synced) document.text = std::make_shared<const TextBuffer>(std::move(text));
  if (problem && !is_synced) {
    problem->message += "; the document is not synced until its full text comes";
    return tl::unexpected(*problem);
  }
  return {};
}

Result<void> Documents::save(const DidSaveTextDocumentParams& params) {
  const auto entry = documents_.find(params.textDocument.uri);
  if (entry == documents_.end()) return not_open(params.textDocument.uri);
  Document& document = entry->second;
  if (!params.text) return {};
  const bool was_right = document.is_synced && document.text->text() == *params.text;
  if (was_right) return {};
  const bool was_trusted = document.is_synced;
  document.text = std::make_shared<const TextBuffer>(*params.text);
  document.is_synced = true;
  if (!was_trusted) return {};
  return fail(
      ErrorCode::kInternal,
      document.uri + ": the saved text differs from the changes applied; took the saved one");
}

Result<void> Documents::close(const DidCloseTextDocumentParams& params) {
  if (documents_.erase(params.textDocument.uri) == 0) return not_open(params.textDocument.uri);
  return {};
}

const Document* Documents::find(std::string_view uri) const {
  const auto entry = documents_.find(uri);
  return entry == documents_.end() ? nullptr : &entry->second;
}

std::vector<Document> Documents::all() const {
  std::vector<Document> all;
  all.reserve(documents_.size());
  for (const auto& [uri, document] : documents_)
    all.push_back(document);
  return all;
}

Response<Document> Documents::get(const TextDocumentIdentifier& id) const {
  const Document* document = find(id.uri);
  if (document == nullptr)
    return fail(ResponseCode::kInvalidParams, "document not open: " + id.uri);
  if (!document->is_synced) {
    return fail(
        ResponseCode::kContentModified,
        "a change of " + id.uri + " could not be applied; save or reopen it to send its full text");
  }
  return *document;
}

Response<Place> Documents::locate(const TextDocumentIdentifier& id, Position position) const {
  auto document = get(id);
  if (!document) return tl::unexpected(std::move(document).error());
  const ByteOffset offset = TRY(document->text->offset(position, encoding_));
  return Place{*std::move(document), offset};
}

}  // namespace kinglet::lsp
