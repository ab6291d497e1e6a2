// A forward pass as recorded command streams. The architecture's operations are lowered one by one
// to the Vulkan library's; a barrier stands only where an operation touches what an earlier one
// wrote. Cut into parts of limited work, so that no submit takes long (submit_budget.h).
//
// All that varies between passes of one shape lies in buffers (token ids, positions, page table):
// a decode step is recorded once and replayed for every token.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/gpu/adapters.h"
#include "inference/gpu/weights.h"
#include "inference/kv_cache.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

vulkan::CacheType cache_type(KvFormat format);

/// Where everything lies on the device.
struct Workspace {
  const Model* model = nullptr;
  const Weights* weights = nullptr;
  vulkan::CacheType cache_type = vulkan::CacheType::kF32;
  std::vector<vulkan::DeviceAddress>
      keys;  // by layer: (n_pages, n_kv_heads, kPageTokens, head_dim)
  std::vector<vulkan::DeviceAddress> values;                 // likewise
  std::array<vulkan::DeviceAddress, kSlotCount> slots = {};  // whole slots: (chunk_tokens, size)
  std::array<vulkan::DeviceAddress, 2> rope = {};            // by RopeFactorSet
  vulkan::DeviceAddress ids = 0;                             // (chunk_tokens) u32
  vulkan::DeviceAddress positions = 0;                       // (chunk_tokens) u32
  vulkan::DeviceAddress pages = 0;                           // u32
  vulkan::DeviceAddress scratch = 0;                         // of attention
  std::vector<PlacedAdapter> adapters = {};
  const vulkan::Operations* adapter_operations = nullptr;  // with f32 matrices; for adapters
  vulkan::DeviceAddress narrow = 0;                        // (chunk_tokens, highest rank)
  const vulkan::Buffer* logits = nullptr;                  // (most logits wanted, n_vocabulary)
  const vulkan::Buffer* host_logits = nullptr;             // the same, where the host reads them
};

/// Passes of one shape are the same commands.
struct PassShape {
  std::uint32_t n_tokens = 0;
  std::uint32_t n_logits = 0;     // of the last tokens
  std::uint32_t max_context = 0;  // no position reaches it
  RopeFactorSet rope = RopeFactorSet::kShort;

  friend bool operator==(const PassShape&, const PassShape&) = default;
};

struct Part {
  vulkan::Stream stream;
  std::uint64_t work = 0;  // multiplications
};

/// Of a recording, or a stretch of it. A part's end separates stages, too.
struct Extent {
  std::uint32_t n_stages = 0;
  std::uint32_t n_dispatches = 0;
};
Extent extent_of(std::span<const Part> parts);

struct Recording {
  std::vector<Part> parts;
  Extent layers;  // without what comes before the first layer and after the last
};

/// Records a pass in parts of about `work_limit` multiplications each, at least one. The logits of
/// the wanted tokens end in workspace.host_logits, (n_logits, n_vocabulary).
Result<Recording> record_pass(const vulkan::Device& device,
                              const vulkan::Operations& operations,
                              const Workspace& workspace,
                              const PassShape& shape,
                              std::uint64_t work_limit);

/// Bytes of scratch for any pass of at most this many tokens.
std::uint64_t scratch_bytes(const HyperParameters& hyper_parameters,
                            std::uint32_t chunk_tokens,
                            std::uint32_t max_context);

}  // namespace kinglet::inference::gpu
