#include "vulkan/operations/tiles.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

namespace kinglet::vulkan {

namespace {

constexpr std::uint32_t kFloatBytes = 4;
constexpr std::uint32_t kHalfBytes = 2;
// As kernels/quads.glsl: blocks come into shared memory by whole chunks.
constexpr std::uint32_t kChunkColumns = 32;

/// What is known of each kind of tile.
struct Kind {
  std::string_view name;  // of its kernels
  Tiles Tiling::*tiles;
  /// Shared memory of a line of a tile, or of a token; null for matrices_fit().
  std::uint32_t (*line_bytes)(const TileShape& shape);
  std::vector<TileShape> defaults;
  /// What may stand in for the largest of the defaults; numbered from 1.
  std::vector<TileShape> large;
};

// As kernels/mul_mat.glsl lays a line of a tile: four columns to spare.
std::uint32_t float_bytes(const TileShape& shape) {
  return (shape.depth + 4) * kFloatBytes;
}
std::uint32_t half_bytes(const TileShape& shape) {
  return (shape.depth + 4) * kHalfBytes;
}
// As kernels/mul_mat_dot.glsl does: groups of 16 bytes with a scale and an offset, and one to
// spare.
std::uint32_t dot_bytes(const TileShape& shape) {
  return (shape.depth / 16 + 1) * (16 + 2 * kFloatBytes);
}

// As kernels/mul_mat_matrix.glsl does: f16, eight columns to spare, and a matrix of results for
// each subgroup.
bool matrices_fit(const DeviceInfo& device, const TileShape& shape) {
  const MatrixShape& one = device.matrix;
  // A thread of Intel's has 4 KiB of registers, however wide its subgroup is: half for the sums.
  constexpr std::uint32_t kIntelSumBytes = 2'048;
  if (device.vendor_id == kIntelVendor &&
      shape.line_sums * shape.token_sums * kFloatBytes > kIntelSumBytes) {
    return false;
  }
  const std::uint32_t n_subgroups = shape.workgroup();
  const std::uint32_t invocations = n_subgroups * device.matrix_subgroup_size;
  // Each invocation loads as much as each other: kernels/mul_mat_load.glsl, four columns at a time.
  if (shape.lines * shape.depth / 4 % invocations != 0 ||
      shape.tokens * shape.depth / 4 % invocations != 0) {
    return false;
  }
  const std::uint32_t shared = (shape.lines + shape.tokens) * (shape.depth + 8) * kHalfBytes +
                               n_subgroups * one.m * one.n * kFloatBytes;
  return shape.line_sums % one.m == 0 && shape.token_sums % one.n == 0 &&
         shape.depth % one.k == 0 && shared <= device.max_shared_bytes &&
         invocations <= device.max_workgroup_invocations;
}

// By TileKind.
const std::array<Kind, 4>& kinds() {
  static const std::array<Kind, 4> kKinds = {{
      {"mul_mat",
       &Tiling::floats,
       float_bytes,
       {{64, 32, 8, 4, 32}, {64, 64, 8, 8, 32}, {128, 64, 8, 8, 32}},
       {{64, 64, 8, 8, 32}, {64, 64, 4, 4, 32}, {128, 128, 8, 8, 32}}},
      {"mul_mat_half",
       &Tiling::halves,
       half_bytes,
       {{64, 32, 4, 4, 32}, {64, 64, 4, 4, 32}},
       {{64, 64, 8, 4, 32}, {128, 64, 8, 4, 32}, {128, 128, 8, 8, 32}}},
      {"mul_mat_dot",
       &Tiling::dots,
       dot_bytes,
       {{64, 32, 4, 4, 128}, {64, 64, 4, 4, 128}},
       {{64, 64, 8, 4, 128}, {128, 64, 8, 4, 128}}},
      {"mul_mat_matrix",
       &Tiling::matrices,
       nullptr,
       {{64, 32, 32, 16, 64}, {64, 64, 32, 32, 64}, {128, 128, 64, 32, 32}},
       {{128, 64, 32, 32, 32},
        {128, 128, 32, 32, 32},
        {128, 128, 64, 64, 32},
        {128, 64, 32, 16, 32}}},
  }};
  return kKinds;
}

const Kind& kind_of(TileKind kind) {
  return kinds().at(static_cast<std::size_t>(kind));
}

bool fits(const DeviceInfo& device, const Kind& kind, const TileShape& shape) {
  if (kind.line_bytes == nullptr) {
    return device.optional.cooperative_matrix && matrices_fit(device, shape);
  }
  const std::uint32_t results = shape.tokens / shape.token_sums * shape.lines * kFloatBytes;
  const std::uint32_t shared = (shape.lines + shape.tokens) * kind.line_bytes(shape) + results;
  return shared <= device.max_shared_bytes && shape.workgroup() <= device.max_workgroup_invocations;
}

std::string large_knob(const Kind& kind) {
  return std::string(kind.name) + ".large";
}

std::string groups_knob(const Kind& kind) {
  return std::string(kind.name) + ".wanted_groups";
}

}  // namespace

Specialization TileShape::specialization() const {
  assert(depth > 0 && depth % kChunkColumns == 0);
  return {.constants = {workgroup(), lines, tokens, line_sums, token_sums, depth}};
}

Specialization TileShape::matrix_specialization(const DeviceInfo& device) const {
  assert(depth > 0 && depth % kChunkColumns == 0);
  const MatrixShape& one = device.matrix;
  return {.constants = {workgroup() * device.matrix_subgroup_size,
                        lines,
                        tokens,
                        line_sums,
                        token_sums,
                        depth,
                        one.m,
                        one.n,
                        one.k},
          .subgroup_size = device.optional.subgroup_size_control ? device.matrix_subgroup_size : 0};
}

Tiling default_tiling(const DeviceInfo& device) {
  // Any device takes the smallest: 16 KiB of shared memory and 128 invocations are promised. It is
  // the only one for software drivers, whose compilers take seconds for long kernels and whose
  // workgroups run one after the other.
  constexpr TileShape kSmallest = {32, 32, 4, 4, 32};
  constexpr TileShape kSmallestDot = {32, 32, 4, 4, 128};
  constexpr TileShape kSmallestMatrix = {32, 32, 16, 16, 32};
  Tiling tiling = {{{kSmallest}}, {{kSmallest}}, {{kSmallestDot}}, {}};
  if (device.type == DeviceType::kSoftware) {
    if (device.optional.cooperative_matrix && matrices_fit(device, kSmallestMatrix)) {
      tiling.matrices.shapes = {kSmallestMatrix};
    }
    return tiling;
  }
  for (const Kind& kind : kinds()) {
    Tiles& tiles = tiling.*kind.tiles;
    std::vector<TileShape> fitting = kind.defaults;
    std::erase_if(fitting, [&](const TileShape& shape) { return !fits(device, kind, shape); });
    if (!fitting.empty()) tiles.shapes = fitting;
    // Twice what the largest cards have in compute units; half of them idle cost more than sums
    // that are added up afterwards.
    tiles.wanted_groups = device.type == DeviceType::kIntegrated ? 64 : 192;
  }
  return tiling;
}

Tiling tuned_tiling(const DeviceInfo& device, const Tuning& tuning) {
  Tiling tiling = default_tiling(device);
  for (const Kind& kind : kinds()) {
    Tiles& tiles = tiling.*kind.tiles;
    const std::uint32_t number = tuning.value(large_knob(kind), 0);
    if (number > 0 && number <= kind.large.size() && !tiles.shapes.empty() &&
        fits(device, kind, kind.large[number - 1])) {
      tiles.shapes.back() = kind.large[number - 1];
    }
    tiles.wanted_groups = std::max(tuning.value(groups_knob(kind), tiles.wanted_groups), 1U);
  }
  return tiling;
}

bool has_matrix_tiles(const DeviceInfo& device) {
  return !default_tiling(device).matrices.shapes.empty();
}

std::vector<Knob> tiling_knobs(const DeviceInfo& device, TileKind which) {
  const Kind& kind = kind_of(which);
  Knob large = {large_knob(kind), {0}};
  for (std::uint32_t i = 0; i < kind.large.size(); ++i) {
    if (fits(device, kind, kind.large[i])) large.values.push_back(i + 1);
  }
  const std::uint32_t groups = (default_tiling(device).*kind.tiles).wanted_groups;
  return {large, {groups_knob(kind), {groups, groups * 2, std::max(groups / 2, 1U)}}};
}

}  // namespace kinglet::vulkan
