#include "vulkan/operations/tiles.h"

#include <utility>

namespace kinglet::vulkan {

namespace {

constexpr std::uint32_t kFloatBytes = 4;
constexpr std::uint32_t kHalfBytes = 2;
// As kernels/mul_mat.glsl lays a line of a tile: four columns to spare.
constexpr std::uint32_t plain_bytes(const TileShape& shape, std::uint32_t element_bytes) {
  return (shape.depth + 4) * element_bytes;
}
// As kernels/mul_mat_dot.glsl does: groups of 16 bytes with a scale and an offset, and one to
// spare.
constexpr std::uint32_t dot_bytes(const TileShape& shape) {
  return (shape.depth / 16 + 1) * (16 + 2 * kFloatBytes);
}

// As kernels/mul_mat_matrix.glsl does: f16, eight columns to spare, and a matrix of results for
// each subgroup.
bool matrices_fit(const DeviceInfo& device, const TileShape& shape) {
  const MatrixShape& one = device.matrix;
  const std::uint32_t n_subgroups = shape.workgroup();
  const std::uint32_t shared = (shape.lines + shape.tokens) * (shape.depth + 8) * kHalfBytes +
                               n_subgroups * one.m * one.n * kFloatBytes;
  return shape.line_sums % one.m == 0 && shape.token_sums % one.n == 0 &&
         shape.depth % one.k == 0 && shared <= device.max_shared_bytes &&
         n_subgroups * device.subgroup_size <= device.max_workgroup_invocations;
}

/// Shapes that take more of a workgroup than the device has are left out.
template <class LineBytes>
std::vector<TileShape> those_that_fit(const DeviceInfo& device,
                                      std::vector<TileShape> shapes,
                                      LineBytes&& line_bytes) {
  std::erase_if(shapes, [&](const TileShape& shape) {
    const std::uint32_t results = shape.tokens / shape.token_sums * shape.lines * kFloatBytes;
    const std::uint32_t shared = (shape.lines + shape.tokens) * line_bytes(shape) + results;
    return shared > device.max_shared_bytes || shape.workgroup() > device.max_workgroup_invocations;
  });
  return shapes;
}

}  // namespace

Specialization TileShape::specialization() const {
  return {.constants = {workgroup(), lines, tokens, line_sums, token_sums, depth}};
}

Specialization TileShape::matrix_specialization(const DeviceInfo& device) const {
  const MatrixShape& one = device.matrix;
  return {.constants = {workgroup() * device.subgroup_size,
                        lines,
                        tokens,
                        line_sums,
                        token_sums,
                        depth,
                        one.m,
                        one.n,
                        one.k},
          .subgroup_size = device.optional.subgroup_size_control ? device.subgroup_size : 0};
}

Tiling default_tiling(const DeviceInfo& device) {
  // Any device takes the smallest: 16 KiB of shared memory and 128 invocations are promised. It is
  // the only one for software drivers, whose compilers take seconds for long kernels and whose
  // workgroups run one after the other.
  constexpr TileShape kSmallest = {32, 32, 4, 4, 32};
  constexpr TileShape kSmallestDot = {32, 32, 4, 4, 128};
  Tiling tiling = {{kSmallest}, {kSmallest}, {kSmallestDot}, {}, 1};
  const bool is_software = device.type == DeviceType::kSoftware;
  if (device.optional.cooperative_matrix) {
    using Shapes = std::vector<TileShape>;
    tiling.matrices =
        is_software ? Shapes{{32, 32, 16, 16, 32}}
                    : Shapes{{64, 32, 32, 16, 64}, {64, 64, 32, 32, 64}, {128, 128, 64, 32, 32}};
    std::erase_if(tiling.matrices,
                  [&](const TileShape& shape) { return !matrices_fit(device, shape); });
  }
  if (is_software) return tiling;
  const auto take = [](std::vector<TileShape>& shapes, std::vector<TileShape>&& fitting) {
    if (!fitting.empty()) shapes = std::move(fitting);
  };
  take(tiling.floats,
       those_that_fit(device,
                      {{64, 32, 8, 4, 32}, {64, 64, 8, 8, 32}, {128, 64, 8, 8, 32}},
                      [](const TileShape& shape) { return plain_bytes(shape, kFloatBytes); }));
  take(tiling.halves,
       those_that_fit(device, {{64, 32, 4, 4, 32}, {64, 64, 4, 4, 32}}, [](const TileShape& shape) {
         return plain_bytes(shape, kHalfBytes);
       }));
  take(tiling.dots, those_that_fit(device, {{64, 32, 4, 4, 128}, {64, 64, 4, 4, 128}}, dot_bytes));
  // Twice what the largest cards have in compute units; half of them idle cost more than sums that
  // are added up afterwards.
  tiling.wanted_groups = device.type == DeviceType::kIntegrated ? 64 : 192;
  return tiling;
}

}  // namespace kinglet::vulkan
