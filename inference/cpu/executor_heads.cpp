// What happens to queries, keys and values between their projection and the sum of what was
// attended to.
#include <algorithm>
#include <cassert>

#include "inference/cpu/attention.h"
#include "inference/cpu/elementwise.h"
#include "inference/cpu/executor.h"

namespace kinglet::inference::cpu {

void CpuExecutor::rope_store(const Group& group,
                             const Batch& batch,
                             std::uint32_t layer,
                             Range range) {
  for_each_tile(range, 1, [&](const Tile& tile, std::uint32_t) {
    // As many tokens together as a page holds: what is turned is stored while it is at hand.
    std::uint32_t n_tokens = 0;
    for (std::uint32_t begin = tile.begin; begin < tile.end; begin += n_tokens) {
      n_tokens = std::min(tile.end - begin, kPageTokens - positions_[begin] % kPageTokens);
      for (const Op& op : group.ops) {
        for (std::uint32_t token = begin; token < begin + n_tokens; ++token) {
          if (op.kind == OpKind::kHeadRmsNorm) norm_heads(op, layer, token);
          if (op.kind == OpKind::kRope) turn_heads(op, batch.rope, token);
        }
        if (op.kind == OpKind::kStoreKv) store_kv(tile, layer, {begin, begin + n_tokens});
      }
    }
  });
}

void CpuExecutor::norm_heads(const Op& op, std::uint32_t layer, std::uint32_t token) const {
  assert(op.in == op.out);
  const HyperParameters& h = model().hyper_parameters();
  const float* weight = weights_.vector(*op.weight, layer);
  const std::uint32_t n_heads = place_of(op.in, h).size / h.head_dim;
  float* head = slots_.at(op.in, token);
  for (std::uint32_t i = 0; i < n_heads; ++i, head += h.head_dim)
    rms_norm(head, weight, h.head_dim, h.norm_epsilon, head);
}

void CpuExecutor::turn_heads(const Op& op, RopeFactorSet factors, std::uint32_t token) const {
  assert(op.in == op.out);
  const HyperParameters& h = model().hyper_parameters();
  const std::uint32_t n_pairs = h.rope_dims / 2;
  const std::uint32_t n_heads = place_of(op.in, h).size / h.head_dim;
  const float* table = rope_[static_cast<std::size_t>(factors)].data();
  const std::size_t position = positions_[token];
  const auto turn =
      model().architecture().rope_style == RopeStyle::kNeox ? rope_neox : rope_interleaved;
  turn(slots_.at(op.in, token), n_heads, h.head_dim, n_pairs, table + position * n_pairs * 2);
}

void CpuExecutor::store_kv(const Tile& tile, std::uint32_t layer, Range tokens) const {
  const HyperParameters& h = model().hyper_parameters();
  const std::uint32_t position = positions_[tokens.begin];
  for (std::uint32_t head = 0; head < h.n_kv_heads; ++head) {
    const std::size_t offset = std::size_t{head} * h.head_dim;
    store_.write(tile.segment->pages[position / kPageTokens],
                 layer,
                 head,
                 {.slot = position % kPageTokens,
                  .n_tokens = tokens.size(),
                  .head_dim = h.head_dim,
                  .keys = slots_.at(Slot::kKeys, tokens.begin) + offset,
                  .values = slots_.at(Slot::kValues, tokens.begin) + offset,
                  .stride = slots_.stride(Slot::kKeys)});
  }
}

void CpuExecutor::attention(const Op& op, std::uint32_t layer, Range range) {
  const HyperParameters& h = model().hyper_parameters();
  attention_.clear();
  for (const Tile& tile : tiles_) {
    const std::uint32_t begin = std::max(tile.begin, range.begin);
    const std::uint32_t end = std::min(tile.end, range.end);
    if (begin >= end) continue;
    const Attention job{
        .store = &store_,
        .pages = tile.segment->pages,
        .layer = layer,
        .head_dim = h.head_dim,
        .n_heads = h.n_heads,
        .n_kv_heads = h.n_kv_heads,
        .sliding_window = window_of(h, layer),
        .scale = h.attention_scale,
        .soft_cap = h.attention_soft_cap,
        .position = tile.segment->position,
        .queries = slots_.at(op.in, tile.segment_begin),
        .query_stride = slots_.stride(op.in),
        .out = slots_.at(op.out, tile.segment_begin),
        .out_stride = slots_.stride(op.out),
    };
    attention_.add(job, begin - tile.segment_begin, end - tile.segment_begin);
  }
  threads_->for_each(attention_.cut(threads_->n_threads()),
                     [&](std::uint32_t item, std::uint32_t) { attention_.attend(item); });
}

}  // namespace kinglet::inference::cpu
