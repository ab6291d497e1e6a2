// A model on the CPU: walks the architecture's operations one by one. Nothing is fused; this is the
// lowering to read first.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <hwy/aligned_allocator.h>

#include "inference/backend.h"
#include "inference/cpu/byte_mat_mul.h"
#include "inference/cpu/kv_store.h"
#include "inference/cpu/mat_mul.h"
#include "inference/cpu/thread_pool.h"

namespace kinglet::inference::cpu {

class CpuExecutor final : public Executor {
 public:
  /// `info.chunk_tokens` and `info.n_threads` as they are to be used.
  CpuExecutor(std::shared_ptr<const Model> model,
              const ExecutorInfo& info,
              std::uint32_t n_kv_tokens,
              KvStore store);

  /// Of all slots, for chunks of this many tokens.
  static std::uint64_t activation_bytes(const HyperParameters& h,
                                        std::uint32_t chunk_tokens,
                                        Activations activations);

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

  Result<void> prepare_rope(RopeFactorSet factor_set, std::uint32_t n_positions) override;
  Result<void> copy_page(const PageCopy& copy) override;
  Result<void> run(const Batch& batch) override;
  Result<void> place_adapters(const Adapters& adapters) override;

  void lay_out(const Batch& batch);
  void compute(const Op& op, const Batch& batch, std::uint32_t layer, Range range);
  void embed(const Op& op, const Batch& batch, Range range);
  void norm(const Op& op, std::uint32_t layer, Range range);
  void head_norm(const Op& op, std::uint32_t layer, Range range);
  void mat_mul(const Op& op, const Batch& batch, std::uint32_t layer, Range range);
  /// Multiplies all rows of a weight, on several threads when it is worth waking them.
  void multiply(const Weight& weight, MatMul job, Activations activations);
  /// Adds what the adapters change of a product or a lookup: `base` is that product's job.
  void adapt(
      const Op& op, const Batch& batch, std::uint32_t layer, Range range, const MatMul& base);
  void rope(const Op& op, const Batch& batch, Range range);
  void store_kv(std::uint32_t layer, Range range);
  void attention(const Op& op, std::uint32_t layer, Range range);
  void gated_unit(const Op& op, Range range);
  void add(const Op& op, Range range);
  void in_place(const Op& op, const Batch& batch, Range range);

  /// Calls body(token) for each, on several threads when it is worth waking them.
  template <class Body>
  void for_tokens(Range range, const Body& body);

  /// Calls body(tile, part) for each of the batch's tiles, cut to the range, and each of n_parts.
  template <class Body>
  void for_each_tile(Range range, std::uint32_t n_parts, const Body& body);

  float* at(Slot slot, std::uint32_t token) const;
  std::size_t stride(Slot slot) const;  ///< in floats, from one token to the next
  /// Null for an optional one that the model lacks.
  const float* vector(Role role, std::uint32_t layer) const;

  KvStore store_;
  ThreadPool threads_;
  /// By whole slot: (chunk_tokens, padded(size)), zeroed once, so that padding is finite.
  std::array<hwy::AlignedFreeUniquePtr<float[]>, kSlotCount> slots_;
  ByteActivations bytes_;  // what is multiplied, with Activations::kInt8
  /// Weights of norms, and biases, as f32: [role][layer]; empty where the model lacks one.
  std::array<std::vector<std::vector<float>>, kRoleCount> vectors_;
  std::vector<Tile> tiles_;                 // of the batch at work
  std::vector<std::uint32_t> positions_;    // of its tokens
  std::array<std::vector<float>, 2> rope_;  // by factor set: (positions so far, n_pairs, 2)
  Adapters placed_adapters_;
  hwy::AlignedFreeUniquePtr<float[]> narrow_;  // (chunk_tokens, padded(rank)) of one adapter
};

}  // namespace kinglet::inference::cpu
