#include "daemon/linked_indexes.h"

#include <optional>
#include <string>
#include <utility>

#include "indexer/record.h"
#include "indexer/scan.h"

namespace kinglet::daemon {
namespace {

constexpr std::size_t kMaxFiles = 200'000;
constexpr std::size_t kMaxKept = 4;

// Of paths and contents: what the graph is made of.
std::uint64_t state_of(const indexer::Snapshot& snapshot) {
  std::uint64_t state = 0;
  for (const indexer::FileInfo& file : snapshot.files()) {
    state = state * 0x9E3779B97F4A7C15U + indexer::hash_chunk(file.path);
    state = state * 0x9E3779B97F4A7C15U + file.hash.low;
  }
  return state;
}

}  // namespace

Result<indexer::LinkedIndex> LinkedIndexes::link(const std::filesystem::path& root,
                                                 const indexer::Snapshot& snapshot,
                                                 std::uint64_t max_file_bytes,
                                                 const std::stop_token& stop) {
  indexer::LinkedIndex linked{.snapshot = snapshot, .graph = nullptr};
  if (snapshot.n_files() > kMaxFiles) return linked;
  const std::uint64_t state = state_of(snapshot);
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = known_.begin(); entry != known_.end(); ++entry) {
      if (entry->root != root || entry->state != state) continue;
      known_.splice(known_.begin(), known_, entry);
      linked.graph = entry->graph;
      return linked;
    }
  }
  std::optional<indexer::Root> folder;
  if (auto opened = indexer::Root::open(root.string())) folder = *std::move(opened);
  const auto read = [&](const std::string& path) -> std::optional<std::string> {
    if (!folder) return std::nullopt;
    auto text = folder->read(path, max_file_bytes);
    return text ? std::optional(*std::move(text)) : std::nullopt;
  };
  auto graph = TRY(indexer::ImportGraph::build(snapshot, read, stop));
  linked.graph = std::make_shared<const indexer::ImportGraph>(std::move(graph));
  const std::lock_guard lock(mutex_);
  // Two editors may have two states of a root; older ones nobody asks for again.
  std::size_t n_of_root = 0;
  std::erase_if(known_, [&](const Entry& entry) { return entry.root == root && ++n_of_root >= 2; });
  known_.push_front({root, state, linked.graph});
  if (known_.size() > kMaxKept) known_.pop_back();
  return linked;
}

std::size_t LinkedIndexes::memory() const {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const Entry& entry : known_)
    bytes += entry.graph->memory();
  return bytes;
}

}  // namespace kinglet::daemon
