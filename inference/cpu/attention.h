// Attention over the paged cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inference/cpu/kv_store.h"

namespace kinglet::inference::cpu {

struct Attention {
  const KvStore* store;
  std::span<const PageId> pages;
  std::uint32_t layer;
  std::uint32_t head_dim;
  std::uint32_t n_heads;
  std::uint32_t n_kv_heads;
  std::uint32_t sliding_window;  ///< 0: all positions
  float scale;                   ///< of scores
  float soft_cap;                ///< c: scores become c * tanh(score / c); 0: they stay
  std::uint32_t position;        ///< of the first token; all up to the last are in the cache
  const float* queries;          ///< (n_tokens, n_heads, head_dim), tokens query_stride apart
  std::size_t query_stride;
  float* out;  ///< like queries, tokens out_stride apart
  std::size_t out_stride;
};

/// Some neighbouring tokens' queries that read one KV head.
struct AttentionTile {
  std::uint32_t kv_head;
  std::uint32_t token_begin;
  std::uint32_t token_end;
};

/// How many tokens a tile should have, if there are so many: enough to share the reading of a page.
std::uint32_t attention_tile_tokens(std::uint32_t n_heads, std::uint32_t n_kv_heads);

/// out = softmax(soft_cap(q k^T * scale)) v for a tile. A token's result does not depend on which
/// others are computed with it.
void attend(const Attention& job, const AttentionTile& tile);

// The same in parts that threads may share. The context is cut into runs of kRunTokens positions,
// from multiples of it on; a run's sums do not depend on the others, and are joined in their order,
// by attend() too. So who computes what changes no bit.
inline constexpr std::uint32_t kRunTokens = 1024;

/// Runs [begin, end) of the context that some query of a tile sees.
struct RunRange {
  std::uint32_t begin;
  std::uint32_t end;
  std::uint32_t size() const { return end - begin; }
};
RunRange runs_of(const Attention& job, const AttentionTile& tile);

/// Floats that a run of a tile leaves.
std::size_t run_floats(const Attention& job, const AttentionTile& tile);

/// Writes what these runs leave, run_floats() each.
void attend_runs(const Attention& job, const AttentionTile& tile, RunRange runs, float* left);

/// Writes the tile's results; `left` is of all runs_of() it.
void join_runs(const Attention& job, const AttentionTile& tile, const float* left);

}  // namespace kinglet::inference::cpu
