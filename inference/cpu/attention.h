// Attention of one KV head over the paged cache.
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

/// out = softmax(soft_cap(q k^T * scale)) v for tokens in [token_begin, token_end) and the query
/// heads that read `kv_head`. A token's result does not depend on which others are computed with
/// it.
void attend(const Attention& job,
            std::uint32_t kv_head,
            std::uint32_t token_begin,
            std::uint32_t token_end);

}  // namespace kinglet::inference::cpu
