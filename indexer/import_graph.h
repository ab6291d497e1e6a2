// Who imports whom in one state of the index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "indexer/imports.h"
#include "indexer/index.h"
#include "indexer/path_table.h"

namespace kinglet::indexer {

/// Who imports whom in one snapshot. Immutable; safe on several threads.
class ImportGraph {
 public:
  /// The text of a small file of the index, or nothing.
  using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

  /// An empty graph: no file, no edge.
  ImportGraph() = default;
  /// Reads go.mod files through `read` (may be null). kCancelled.
  static Result<ImportGraph> build(const Snapshot& snapshot,
                                   const ReadText& read,
                                   const std::stop_token& stop = {});

  const PathTable& paths() const { return paths_; }
  ImportContext context() const { return {paths_, go_modules_}; }
  /// Files that a file imports, ascending, each once with its best confidence.
  std::span<const ImportedFile> imports(std::uint32_t file) const;
  /// Files that import a file, ascending.
  std::span<const ImportedFile> importers(std::uint32_t file) const;
  std::size_t n_edges() const { return edges_.size(); }
  std::size_t memory() const;

 private:
  PathTable paths_;
  std::vector<GoModule> go_modules_;
  std::vector<std::uint32_t> first_edge_;  // by file; one more than there are files
  std::vector<ImportedFile> edges_;
  std::vector<std::uint32_t> first_reverse_;
  std::vector<ImportedFile> reverse_;
};

/// An index and who imports whom in it. The graph may be of an older state, or null: then imports
/// say less. Cheap to copy; safe on several threads.
struct LinkedIndex {
  Snapshot snapshot;
  std::shared_ptr<const ImportGraph> graph;
};

/// What a file sees through imports of imports.
struct Reach {
  std::uint32_t n_steps = 0;  // 0: the file itself, 1: imported by it
  float confidence = 0;       // the product along the best of the shortest ways
};

/// All that is reached from `file` within `max_steps`, by file; stops after `max_files`.
std::vector<std::pair<std::uint32_t, Reach>> reach(const ImportGraph& graph,
                                                   std::uint32_t file,
                                                   std::uint32_t max_steps,
                                                   std::size_t max_files);

}  // namespace kinglet::indexer
