#include "vulkan/operations/tiles.h"

#include <algorithm>

namespace kinglet::vulkan {

namespace {

/// Shapes that take more shared memory than the device has are left out.
std::vector<TileShape> those_that_fit(const DeviceInfo& device,
                                      std::vector<TileShape> shapes,
                                      std::uint32_t element_bytes) {
  std::erase_if(shapes, [&](const TileShape& shape) {
    return shape.shared_bytes(element_bytes) > device.max_shared_bytes ||
           shape.workgroup() > device.max_workgroup_invocations;
  });
  return shapes;
}

}  // namespace

std::uint32_t TileShape::shared_bytes(std::uint32_t element_bytes) const {
  const std::uint32_t result_tokens = tokens / token_sums;
  return (lines + tokens) * (depth + 4) * element_bytes +
         result_tokens * lines * static_cast<std::uint32_t>(sizeof(float));
}

Specialization TileShape::specialization() const {
  return {.constants = {workgroup(), lines, tokens, line_sums, token_sums, depth}};
}

Tiling default_tiling(const DeviceInfo& device) {
  // Any device takes the smallest: 16 KiB of shared memory and 128 invocations are promised. It is
  // the only one for software drivers, whose compilers take seconds for long kernels and whose
  // workgroups run one after the other.
  constexpr TileShape kSmallest = {32, 32, 4, 4, 32};
  Tiling tiling = {{kSmallest}, {kSmallest}, 1};
  if (device.type == DeviceType::kSoftware) return tiling;
  const auto floats =
      those_that_fit(device, {{64, 32, 8, 4, 32}, {64, 64, 8, 8, 32}, {128, 64, 8, 8, 32}}, 4);
  const auto halves = those_that_fit(device, {{64, 32, 4, 4, 32}, {64, 64, 4, 4, 32}}, 2);
  if (!floats.empty()) tiling.floats = floats;
  if (!halves.empty()) tiling.halves = halves;
  // Twice what the largest cards have in compute units; half of them idle cost more than sums that
  // are added up afterwards.
  tiling.wanted_groups = device.type == DeviceType::kIntegrated ? 64 : 192;
  return tiling;
}

}  // namespace kinglet::vulkan
