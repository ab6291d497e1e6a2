// What a compute shader's SPIR-V says of itself, so that the host does not repeat it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daemon/base/result.h"

namespace kinglet::vulkan {

struct ShaderInfo {
  std::array<std::uint32_t, 3> workgroup_size = {1, 1, 1};
  std::uint32_t push_bytes = 0;  // of the push constant block; 0: none
};

/// Reads the entry point's workgroup size and the layout of the push constant block. kCorrupt for
/// what is not a SPIR-V compute shader, or one with descriptors (we use addresses).
Result<ShaderInfo> reflect(std::span<const std::uint32_t> spirv);

}  // namespace kinglet::vulkan
