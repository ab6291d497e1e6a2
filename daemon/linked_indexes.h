// Import graphs of the repositories that somebody navigates in: made when first asked for, kept
// while they hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>

#include "daemon/base/result.h"
#include "indexer/import_graph.h"

namespace kinglet::daemon {

/// Safe on several threads; made on the pool, never on the protocol thread.
class LinkedIndexes {
 public:
  /// The snapshot with its graph. Repositories of more than 200,000 files have none: their
  /// definitions are weighed without it. kCancelled.
  Result<indexer::LinkedIndex> link(const std::filesystem::path& root,
                                    const indexer::Snapshot& snapshot,
                                    std::uint64_t max_file_bytes,
                                    const std::stop_token& stop);

  /// Bytes held by graphs.
  std::size_t memory() const;

 private:
  struct Entry {
    std::filesystem::path root;
    std::uint64_t state = 0;  // a hash of all paths and contents
    std::shared_ptr<const indexer::ImportGraph> graph;
  };

  mutable std::mutex mutex_;
  std::list<Entry> known_;  // last used first
};

}  // namespace kinglet::daemon
