// Where everything of a model lies on the device, and what distinguishes one pass from another.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "inference/backend.h"
#include "inference/gpu/adapters.h"
#include "inference/gpu/weights.h"
#include "inference/kv_cache.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

vulkan::CacheType cache_type(KvFormat format);

struct Workspace {
  const Model* model = nullptr;
  const Weights* weights = nullptr;
  Lowering lowering = Lowering::kFused;
  vulkan::CacheType cache_type = vulkan::CacheType::kF32;
  vulkan::Timing timing = vulkan::Timing::kWhole;  // of recordings
  std::vector<vulkan::DeviceAddress>
      keys;  // by layer: (n_pages, n_kv_heads, kPageTokens, head_dim)
  std::vector<vulkan::DeviceAddress> values;                 // likewise
  std::array<vulkan::DeviceAddress, kSlotCount> slots = {};  // whole slots: (chunk_tokens, size)
  std::array<vulkan::DeviceAddress, 2> rope = {};            // by RopeFactorSet
  vulkan::DeviceAddress ids = 0;                             // (chunk_tokens) u32
  vulkan::DeviceAddress positions = 0;                       // (chunk_tokens) u32
  vulkan::DeviceAddress pages = 0;    // u32; a table for each token in a pass of sequences
  vulkan::DeviceAddress scratch = 0;  // of attention
  std::uint64_t scratch_bytes = 0;
  vulkan::DeviceAddress split_scratch = 0;  // kSplitScratchBytes, of products; 0: none
  vulkan::DeviceAddress counters = 0;       // of attention; zeros
  vulkan::DeviceAddress choosing = 0;       // scratch of the greedy choice; zeros
  vulkan::DeviceAddress history = 0;        // (kHistory) u32: chosen ids, by position % kHistory
  std::vector<PlacedAdapter> adapters = {};
  const vulkan::Operations* adapter_operations = nullptr;  // with f32 matrices; for adapters
  vulkan::DeviceAddress narrow = 0;                        // (chunk_tokens, highest rank)
  const vulkan::Buffer* logits = nullptr;                  // (most logits wanted, n_vocabulary)
  const vulkan::Buffer* host_logits = nullptr;             // the same, where the host reads them
};

/// Tokens of a chain of greedy steps.
inline constexpr std::uint32_t kHistory = 64;

enum class PassEnd : std::uint8_t {
  kLogits,     // the wanted logits are copied to the host
  kNextToken,  // the likeliest token becomes the next pass's input; one token alone
};

/// Passes of one shape are the same commands.
struct PassShape {
  std::uint32_t n_tokens = 0;
  std::uint32_t n_logits = 0;     // of the last tokens
  std::uint32_t max_context = 0;  // no position reaches it
  RopeFactorSet rope = RopeFactorSet::kShort;
  std::uint32_t page_stride = 0;  // entries from one token's page table to the next; 0: one table
  PassEnd end = PassEnd::kLogits;

  friend bool operator==(const PassShape&, const PassShape&) = default;
};

}  // namespace kinglet::inference::gpu
