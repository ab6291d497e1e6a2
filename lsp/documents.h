// The open documents of one client, kept by its didOpen, didChange, didSave and didClose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "lsp/protocol.h"
#include "lsp/text_buffer.h"

namespace kinglet::lsp {

/// No document grows beyond this through changes (a larger one cannot be opened: transport.h).
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{64} << 20;

/// One document at one version. Cheap to copy; the text never changes under a holder, so a copy is
/// the snapshot that a request works on, in whatever thread.
struct Document {
  DocumentUri uri;
  std::string languageId;
  std::int32_t version = 0;
  std::shared_ptr<const TextBuffer> text;
  /// False when a change could not be applied: the client's text is then unknown, until it sends
  /// the whole of it again (a change without range, didSave with text, didOpen).
  bool is_synced = true;
};

/// A position's byte offset in its document.
struct Place {
  Document document;
  ByteOffset offset{};
};

/// The mirror is right or known to be wrong: whatever cannot be applied exactly (a reversed range,
/// one past the end, one that cuts a character, a version that does not rise) marks the document as
/// not synced and returns an error for the log. For one thread.
class Documents {
 public:
  explicit Documents(PositionEncoding encoding = PositionEncoding::kUtf16) : encoding_(encoding) {}

  /// Set once, by `initialize`.
  void set_encoding(PositionEncoding encoding) { encoding_ = encoding; }
  PositionEncoding encoding() const { return encoding_; }

  /// Opening an open document replaces it.
  Result<void> open(DidOpenTextDocumentParams params);
  /// Changes apply in order, all or none. Versions must rise, by any step.
  Result<void> change(const DidChangeTextDocumentParams& params);
  Result<void> save(const DidSaveTextDocumentParams& params);
  Result<void> close(const DidCloseTextDocumentParams& params);

  /// Null if not open.
  const Document* find(std::string_view uri) const;
  /// All, by URI.
  std::vector<Document> all() const;

  /// The synced document a request names. Errors: InvalidParams if not open, ContentModified if not
  /// synced.
  Response<Document> get(const TextDocumentIdentifier& id) const;
  /// The same with a position in it; InvalidParams too for a line past the end.
  Response<Place> locate(const TextDocumentIdentifier& id, Position position) const;

 private:
  PositionEncoding encoding_;
  std::map<DocumentUri, Document, std::less<>> documents_;
};

}  // namespace kinglet::lsp
