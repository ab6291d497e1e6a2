// How products of many tokens are cut up for a device.
#pragma once

#include <cstdint>
#include <vector>

#include "vulkan/instance.h"
#include "vulkan/pipeline.h"
#include "vulkan/tuning.h"

namespace kinglet::vulkan {

/// What one workgroup computes, and with how many invocations. The constants of
/// kernels/mul_mat*.glsl, powers of two; lines are rows of a matrix.
struct TileShape {
  std::uint32_t lines = 0;
  std::uint32_t tokens = 0;
  std::uint32_t line_sums = 0;   // of one invocation; of one subgroup where matrices are multiplied
  std::uint32_t token_sums = 0;  // likewise
  std::uint32_t depth = 0;       // columns in shared memory at once: whole chunks, of 32

  std::uint32_t workgroup() const { return lines / line_sums * (tokens / token_sums); }
  Specialization specialization() const;
  /// For kernels/mul_mat_matrix.glsl.
  Specialization matrix_specialization(const DeviceInfo& device) const;
};

struct Tiles {
  std::vector<TileShape> shapes;  // that a device uses, for the fewest tokens first
  /// Workgroups that fill the device: products of fewer are split along their columns.
  std::uint32_t wanted_groups = 1;
};

struct Tiling {
  Tiles floats;
  Tiles halves;
  Tiles dots;      // of a depth that is a multiple of 128
  Tiles matrices;  // whole cooperative matrices of the device; no shapes: has none that fit
};
/// The members of a Tiling, by what tiles hold.
enum class TileKind : std::uint8_t { kFloats, kHalves, kDots, kMatrices };

/// What is good for most devices of its kind, found without trying.
Tiling default_tiling(const DeviceInfo& device);
/// The same with the numbers that were found by trying.
Tiling tuned_tiling(const DeviceInfo& device, const Tuning& tuning);
/// Whether the device has cooperative matrices of which tiles can be made.
bool has_matrix_tiles(const DeviceInfo& device);
/// What there is to try: which shape is the largest, and when columns are split.
std::vector<Knob> tiling_knobs(const DeviceInfo& device, TileKind which);

}  // namespace kinglet::vulkan
