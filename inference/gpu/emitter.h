// Single operations and groups of them (fusion.h) as calls of the Vulkan library: where on the
// device they find what they read and write. Order, barriers and the cut into submits are the
// recording's (recording.cpp).
#pragma once

#include <cstdint>
#include <optional>

#include "inference/fusion.h"
#include "inference/gpu/workspace.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

/// Consecutive tokens of a pass.
struct Tokens {
  std::uint32_t begin = 0;
  std::uint32_t n = 0;
};

class Emitter {
 public:
  /// All outlive the emitter. The pass's last token sees `n_positions`.
  Emitter(const vulkan::Operations& operations,
          const Workspace& workspace,
          const PassShape& shape,
          std::uint32_t n_positions);

  /// Whether there are kernels that compute the group as a whole in this layer:
  /// otherwise it is to be computed operation by operation. For kSingle: no.
  bool can_fuse(const Group& group, std::uint32_t layer) const;

  /// The products of a kProducts group; `normed` where the group's norm was computed before. For
  /// all rows: a slice of them is the recording's business.
  vulkan::Products products(const Group& group,
                            std::uint32_t layer,
                            Tokens tokens,
                            bool normed) const;
  /// A kRopeStore group that can_fuse().
  vulkan::RopeStore rope_store(const Group& group, std::uint32_t layer, Tokens tokens) const;
  /// A kAttention operation.
  vulkan::Attention attention(const Op& op, std::uint32_t layer, Tokens tokens) const;
  /// Any operation but kMatMul.
  void emit(vulkan::Stream& stream, const Op& op, std::uint32_t layer, Tokens tokens) const;

  /// Whether an adapter in use changes this operation.
  bool is_adapted(const Op& op, std::uint32_t layer) const;
  /// Adds what the adapters change of a product or a lookup. The barriers stand between the two
  /// halves of each change, and between it and what came before; what comes after waits for the
  /// operation as a whole.
  void adapt(vulkan::Stream& stream, const Op& op, std::uint32_t layer, Tokens tokens) const;
  /// The ids and positions of the next pass, from this one's logits.
  void choose_next(vulkan::Stream& stream) const;

 private:
  void rope(vulkan::Stream& stream, const Op& op, Tokens tokens) const;
  vulkan::GatedLinear gated_linear(const Op& op, Tokens tokens) const;
  vulkan::Elementwise elementwise(const Op& op, Tokens tokens) const;
  vulkan::PagedCache cache(std::uint32_t layer, std::uint32_t first_token) const;

  /// The address 0 where the operation or the file has none.
  vulkan::DeviceAddress bias(const Op& op, std::uint32_t layer) const;
  std::uint32_t stride(Slot slot) const;
  vulkan::DeviceAddress at(Slot slot, std::uint32_t token) const;
  /// The same of a slot whose rows must lie side by side.
  vulkan::DeviceAddress at_whole(Slot slot, std::uint32_t token) const;
  vulkan::DeviceAddress positions(std::uint32_t token) const;

  const vulkan::Operations& operations_;
  const Workspace& workspace_;
  const HyperParameters& h_;
  const PassShape& shape_;
  std::uint32_t n_positions_;
};

/// What attention will be asked for, but for addresses.
vulkan::Attention attention_shape(const HyperParameters& hyper_parameters,
                                  vulkan::CacheType cache_type,
                                  std::uint32_t layer,
                                  std::uint32_t n_tokens,
                                  std::uint32_t max_context);

}  // namespace kinglet::inference::gpu
