// The texts of a repository's files, and where in them the index's places are: lines and columns
// exist only in a text, and only in the one that was indexed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/text.h"
#include "indexer/index.h"
#include "indexer/scan.h"
#include "lsp/protocol.h"
#include "lsp/text_buffer.h"

namespace kinglet::daemon {

/// Texts that a client has open, by path below the root.
using OpenTexts = std::map<std::string, std::shared_ptr<const lsp::TextBuffer>>;

/// For one request, on one thread. Reads a file at most once.
class IndexedTexts {
 public:
  /// What is open goes before what is on disk.
  IndexedTexts(const std::filesystem::path& root,
               indexer::Snapshot snapshot,
               OpenTexts open,
               std::uint64_t max_file_bytes);

  /// The text of an indexed file: the client's, else the file's if its hash is the indexed one.
  /// Null when there is none to believe.
  std::shared_ptr<const lsp::TextBuffer> find(const std::string& path);
  /// The same, and only if it is what was indexed.
  std::shared_ptr<const lsp::TextBuffer> find_indexed(const std::string& path);

  /// The text with that content, if it is what the client has open, else what is on disk, indexed
  /// or not. Null when it is neither.
  std::shared_ptr<const lsp::TextBuffer> find_exact(const std::string& path,
                                                    const indexer::ContentHash& hash);
  /// Of find()'s text.
  std::optional<indexer::ContentHash> hash_of(const std::string& path);

  /// Where the name that the index has at `range` is by now: there, or, in a text that the client
  /// changed since, at the nearest place that holds it as a word. Nothing: gone.
  std::optional<ByteRange> locate(const std::string& path, ByteRange range, std::string_view name);
  /// The same as lines and columns.
  std::optional<lsp::Range> locate(const std::string& path,
                                   ByteRange range,
                                   std::string_view name,
                                   lsp::PositionEncoding encoding);

 private:
  struct Known {
    std::shared_ptr<const lsp::TextBuffer> text;
    indexer::ContentHash hash;  // of `text`
    bool is_indexed = false;
  };
  const Known& look_up(const std::string& path);

  std::optional<indexer::Root> root_;
  indexer::Snapshot snapshot_;
  OpenTexts open_;
  std::uint64_t max_file_bytes_;
  std::map<std::string, Known> known_;
  std::map<std::string, Known> on_disk_;  // what look_up() has no text of
};

/// REQUIRES: range within the text.
lsp::Range lsp_range(const lsp::TextBuffer& text, ByteRange range, lsp::PositionEncoding encoding);

}  // namespace kinglet::daemon
