// kinglet/search and kinglet/dump: what `kinglet search` and `kinglet index --dump` ask.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daemon/features/navigation.h"
#include "indexer/index.h"
#include "lsp/navigation.h"

namespace kinglet::daemon {

/// Text: {matches: [{uri, path, line, column, text}], truncated, problems}, lines and columns (in
/// bytes) from 1, by path and place. Files: {files: [{uri, path}]}, best first. Only indexed files
/// are looked into, as they are now. InvalidParams for a query that cannot be searched for.
lsp::Response<lsp::Json> search_files(const std::vector<NavigatedRoot>& roots,
                                      const lsp::SearchParams& params,
                                      const std::stop_token& stop);

/// Indexes as text, while somebody pages through them: made as the pages are asked for.
class IndexDump {
 public:
  explicit IndexDump(std::vector<indexer::Snapshot> indexes) : indexes_(std::move(indexes)) {}

  /// {text, last}: some MiB, cut at a line's end. Nothing when it is not the next page's turn. For
  /// any thread.
  std::optional<lsp::Json> page(std::size_t number);

 private:
  std::mutex mutex_;
  std::vector<indexer::Snapshot> indexes_;  // those that are not written yet
  std::size_t next_file_ = 0;               // of the first of them
  std::size_t next_page_ = 0;
  std::string rest_;  // written and not handed out
};

}  // namespace kinglet::daemon
