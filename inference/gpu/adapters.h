// Adapters in device memory. As f32, whatever the file's blocks: they are small beside the weights.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "inference/lora.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

/// A LoraPair on the device.
struct PlacedPair {
  vulkan::Matrix a;             ///< (rank, n_in), or (n_vocabulary, rank) of the token embedding
  vulkan::DeviceAddress b = 0;  ///< (rank, n_out): transposed, as low_rank_add takes it
  std::uint32_t rank = 0;
  std::uint32_t n_out = 0;
  float scale = 1;
};

class PlacedLora {
 public:
  /// kUnsupported for a shape without a kernel; kOutOfMemory when the device has no room.
  static Result<std::shared_ptr<const PlacedLora>> place(const vulkan::Device& device,
                                                         std::shared_ptr<const Lora> lora);

  const Lora& lora() const { return *lora_; }
  /// As Lora::pair().
  const PlacedPair* pair(Role role, std::uint32_t layer) const;

 private:
  PlacedLora() = default;

  std::shared_ptr<const Lora> lora_;
  std::vector<vulkan::Buffer> buffers_;
  std::array<std::vector<PlacedPair>, kRoleCount> pairs_;  // [role][layer]; rank 0: none
};

/// An adapter in use.
struct PlacedAdapter {
  std::shared_ptr<const PlacedLora> lora;
  float scale = 1;
};

}  // namespace kinglet::inference::gpu
