// Attention as items for threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include <hwy/aligned_allocator.h>

#include "inference/cpu/attention.h"

namespace kinglet::inference::cpu {

/// Cuts attention into items by tokens and KV heads, and where these are fewer than threads can
/// share, by parts of the context: who ends a tile's last part joins them. However it is cut, the
/// results have the same bits. Items may be computed by many threads at once, each exactly once;
/// all else by one thread while no item is.
class AttentionSplit {
 public:
  /// Forgets what was to be attended to.
  void clear() { wholes_.clear(); }
  /// Tokens [token_begin, token_end) of the job, all heads: as few as belong to one tile.
  void add(const Attention& job, std::uint32_t token_begin, std::uint32_t token_end);
  /// How many items it makes for so many threads.
  std::uint32_t cut(std::uint32_t n_threads);
  void attend(std::uint32_t item);

 private:
  /// A tile of one KV head.
  struct Whole {
    std::uint32_t job;
    AttentionTile tile;
    RunRange runs;
    std::size_t left;  // where its runs' sums begin in left_
  };
  struct Item {
    std::uint32_t whole;
    RunRange runs;
  };

  std::vector<Attention> jobs_;
  std::vector<Whole> wholes_;
  std::vector<Item> items_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> n_runs_left_;  // of each whole that is cut
  std::size_t n_counters_ = 0;
  hwy::AlignedFreeUniquePtr<float[]> left_;
  std::size_t n_left_ = 0;
};

}  // namespace kinglet::inference::cpu
