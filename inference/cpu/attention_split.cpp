#include "inference/cpu/attention_split.h"

#include <algorithm>

namespace kinglet::inference::cpu {

namespace {

// Items for each thread, where the context is cut: those of the longest contexts take longer.
constexpr std::uint32_t kItemsPerThread = 4;
// Floats that runs may leave: what would need more (many tokens, a very long context) is not cut.
constexpr std::size_t kMostLeft = std::size_t{4} << 20;

}  // namespace

void AttentionSplit::add(const Attention& job, std::uint32_t token_begin, std::uint32_t token_end) {
  if (wholes_.empty()) jobs_.clear();
  jobs_.push_back(job);
  const auto job_index = static_cast<std::uint32_t>(jobs_.size() - 1);
  for (std::uint32_t head = 0; head < job.n_kv_heads; ++head) {
    const AttentionTile tile = {head, token_begin, token_end};
    wholes_.push_back({job_index, tile, runs_of(job, tile), 0});
  }
}

std::uint32_t AttentionSplit::cut(std::uint32_t n_threads) {
  const auto n_wholes = static_cast<std::uint32_t>(wholes_.size());
  std::uint32_t n_parts = 1;
  std::size_t n_left = 0;
  if (n_threads > 1 && n_wholes < 2 * n_threads) {
    for (Whole& whole : wholes_) {
      whole.left = n_left;
      n_left += whole.runs.size() * run_floats(jobs_[whole.job], whole.tile);
    }
    if (n_left <= kMostLeft) n_parts = (kItemsPerThread * n_threads + n_wholes - 1) / n_wholes;
  }
  items_.clear();
  bool is_cut = false;
  for (std::uint32_t i = 0; i < n_wholes; ++i) {
    const RunRange runs = wholes_[i].runs;
    const std::uint32_t n = std::min(n_parts, runs.size());
    is_cut = is_cut || n > 1;
    for (std::uint32_t part = 0; part < n; ++part) {
      items_.push_back({i,
                        {runs.begin + runs.size() * part / n,  //
                         runs.begin + runs.size() * (part + 1) / n}});
    }
  }
  if (is_cut) {
    if (n_left_ < n_left) {
      left_ = hwy::AllocateAligned<float>(n_left);
      n_left_ = n_left;
    }
    if (n_counters_ < n_wholes) {
      n_runs_left_ = std::make_unique<std::atomic<std::uint32_t>[]>(n_wholes);
      n_counters_ = n_wholes;
    }
    for (std::uint32_t i = 0; i < n_wholes; ++i)
      n_runs_left_[i].store(wholes_[i].runs.size(), std::memory_order_relaxed);
  }
  return static_cast<std::uint32_t>(items_.size());
}

void AttentionSplit::attend(std::uint32_t item) {
  const auto [index, runs] = items_[item];
  const Whole& whole = wholes_[index];
  const Attention& job = jobs_[whole.job];
  if (runs.size() == whole.runs.size()) return cpu::attend(job, whole.tile);
  float* const left = left_.get() + whole.left;
  const std::uint32_t n_before = runs.begin - whole.runs.begin;
  attend_runs(job, whole.tile, runs, left + n_before * run_floats(job, whole.tile));
  // Whoever ends last sees what all others wrote.
  const std::uint32_t n_left =
      n_runs_left_[index].fetch_sub(runs.size(), std::memory_order_acq_rel) - runs.size();
  if (n_left == 0) join_runs(job, whole.tile, left);
}

}  // namespace kinglet::inference::cpu
