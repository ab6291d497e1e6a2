// A model on the CPU: the architecture's operations in their groups (inference/fusion.h), or one by
// one. What is done is in executor.cpp, products in executor_products.cpp, what concerns heads and
// the cache in executor_heads.cpp; the kernels know nothing of models.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <hwy/aligned_allocator.h>

#include "inference/backend.h"
#include "inference/cpu/attention_split.h"
#include "inference/cpu/kv_store.h"
#include "inference/cpu/products.h"
#include "inference/cpu/slots.h"
#include "inference/cpu/thread_pool.h"
#include "inference/cpu/weights.h"
#include "inference/fusion.h"

namespace kinglet::inference::cpu {

class CpuExecutor final : public Executor {
 public:
  /// What is made beforehand, because making it can fail.
  struct Placed {
    std::unique_ptr<ThreadPool> threads;
    KvStore store;
    Weights weights;
  };

  /// `info` as it is to be used; activation_bytes is filled in.
  CpuExecutor(std::shared_ptr<const Model> model,
              const ExecutorInfo& info,
              Lowering lowering,
              std::uint32_t n_kv_tokens,
              Placed placed);

 private:
  /// The tokens of a batch an operation works on.
  struct Range {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t size() const { return end - begin; }
  };

  /// Neighbouring tokens of one sequence, of a batch: few enough to share a page's loads.
  struct Tile {
    const Segment* segment;
    std::uint32_t segment_begin;  // the segment's first token in the batch
    std::uint32_t begin;          // the tile's
    std::uint32_t end;
  };

  /// A group, and its operations by themselves.
  struct Step {
    Group group;
    std::vector<Group> apart;
  };

  Result<void> prepare_rope(RopeFactorSet factor_set, std::uint32_t n_positions) override;
  Result<void> copy_page(const PageCopy& copy) override;
  Result<void> run(const Batch& batch) override;
  Result<void> place_adapters(const Adapters& adapters) override;

  std::vector<Step> steps_of(std::span<const Op> ops, Lowering lowering) const;
  void lay_out(const Batch& batch);
  void compute(const Step& step, const Batch& batch, std::uint32_t layer, Range range);
  void compute(const Op& op, const Batch& batch, std::uint32_t layer, Range range);
  void embed(const Op& op, const Batch& batch, Range range);
  void norm(const Op& op, std::uint32_t layer, Range range);
  void gated_unit(const Op& op, Range range);
  void add(const Op& op, Range range);
  void in_place(const Op& op, const Batch& batch, Range range);

  // executor_products.cpp
  /// Whether the group is one the CPU computes as one: all that inference/fusion.h speaks of is.
  bool can_multiply(const Group& group, std::uint32_t layer) const;
  void multiply(const Group& group, const Batch& batch, std::uint32_t layer, Range range);
  void mat_mul(const Op& op, const Batch& batch, std::uint32_t layer, Range range);
  /// What a product makes, in the order of its matrices: as many as the weight has.
  void add_products(const Op& op,
                    const Batch& batch,
                    std::uint32_t layer,
                    Range range,
                    std::vector<Product>& products) const;
  /// Whether an adapter changes what the operation makes.
  bool is_adapted(const Op& op, std::uint32_t layer) const;
  /// Adds what the adapters change of a product or a lookup.
  void adapt(const Op& op, const Batch& batch, std::uint32_t layer, Range range);

  // executor_heads.cpp
  // Parts of what happens between queries and keys and the cache: of a token ...
  void norm_heads(const Op& op, std::uint32_t layer, std::uint32_t token) const;
  void turn_heads(const Op& op, RopeFactorSet factors, std::uint32_t token) const;
  // ... and of a tile's tokens in one page.
  void store_kv(const Tile& tile, std::uint32_t layer, Range tokens) const;
  void rope_store(const Group& group, const Batch& batch, std::uint32_t layer, Range range);
  void attention(const Op& op, std::uint32_t layer, Range range);

  /// Calls body(token) for each, on several threads when it is worth waking them.
  template <class Body>
  void for_tokens(Range range, const Body& body) {
    constexpr std::uint32_t kTokens = 8;
    const std::uint32_t n_items = (range.size() + kTokens - 1) / kTokens;
    threads_->for_each(n_items, [&](std::uint32_t item, std::uint32_t) {
      const std::uint32_t begin = range.begin + item * kTokens;
      const std::uint32_t end = std::min(begin + kTokens, range.end);
      for (std::uint32_t token = begin; token < end; ++token)
        body(token);
    });
  }

  /// Calls body(tile, part) for each of the batch's tiles, cut to the range, and each of n_parts.
  template <class Body>
  void for_each_tile(Range range, std::uint32_t n_parts, const Body& body) {
    const auto n_tiles = static_cast<std::uint32_t>(tiles_.size());
    threads_->for_each(n_tiles * n_parts, [&](std::uint32_t item, std::uint32_t) {
      Tile tile = tiles_[item / n_parts];
      tile.begin = std::max(tile.begin, range.begin);
      tile.end = std::min(tile.end, range.end);
      if (tile.begin < tile.end) body(tile, item % n_parts);
    });
  }

  /// Where a slot's numbers of the range's first token are; of logits, in the batch.
  float* begin_of(Slot slot, const Batch& batch, Range range) const;
  std::size_t stride(Slot slot) const;

  std::unique_ptr<ThreadPool> threads_;
  KvStore store_;
  AttentionSplit attention_;
  Weights weights_;
  Slots slots_;
  Multiplier multiplier_;
  std::vector<Step> embed_;
  std::vector<Step> layer_;
  std::vector<Step> output_;
  std::vector<Tile> tiles_;                 // of the batch at work
  std::vector<std::uint32_t> positions_;    // of its tokens
  std::array<std::vector<float>, 2> rope_;  // by factor set: (positions so far, n_pairs, 2)
  Adapters placed_adapters_;
  std::size_t narrow_stride_ = 0;
  hwy::AlignedFreeUniquePtr<float[]> narrow_;  // (chunk_tokens, narrow_stride) of one adapter
};

}  // namespace kinglet::inference::cpu
