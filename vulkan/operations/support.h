// What the families of operations share; for their own files alone.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <vector>

#include "vulkan/operations/formats.h"
#include "vulkan/pipeline.h"

namespace kinglet::vulkan {

/// Invocations of a workgroup of the kernels that treat single elements.
inline constexpr std::uint32_t kElementwise = 64;

constexpr std::uint32_t divide_up(std::uint32_t value, std::uint32_t by) {
  return value / by + (value % by != 0 ? 1 : 0);
}

inline std::uint32_t stride_or(std::uint32_t stride, std::uint32_t n_elements) {
  assert(stride == 0 || stride >= n_elements);
  return stride != 0 ? stride : n_elements;
}

/// Asserts what every kernel demands of a matrix.
void check(const Matrix& matrix);

/// Blocks of a cache are those of weights.
WeightType block_type(CacheType type);

/// "mul_mat_q4_k": the kernel of an operation for a block format.
std::string kernel_name(std::string_view operation, WeightType type);

/// A kernel as an operation will ask for it: Operations::create() compiles, so that recording does
/// not.
struct KernelUse {
  std::string name;
  Specialization specialization = {};
};

/// The kernels that each family needs for these formats.
void add_argmax_kernels(std::vector<KernelUse>& uses);
void add_elementwise_kernels(const Formats& formats, std::vector<KernelUse>& uses);
void add_product_kernels(const DeviceInfo& device,
                         const Formats& formats,
                         std::vector<KernelUse>& uses);
void add_vec_kernels(const DeviceInfo& device,
                     const Formats& formats,
                     std::vector<KernelUse>& uses);
/// What there is to try of attention for few tokens, of models with so many query heads for each KV
/// head; without effect on software drivers.
std::vector<Knob> attention_knobs(CacheType type, std::uint32_t group);
/// Of the tiles that products of many tokens take on this path.
TileKind tile_kind(const DeviceInfo& device, ProductPath path, WeightType type);
void add_tiled_kernels(const DeviceInfo& device,
                       const Formats& formats,
                       const Tiling& tiling,
                       std::vector<KernelUse>& uses);
/// Queries of a tile, at most; `forced` is Formats::attention_rows.
std::uint32_t attention_rows(const DeviceInfo& device,
                             const Tuning& tuning,
                             std::uint32_t forced,
                             std::uint32_t group);
void add_attention_kernels(const DeviceInfo& device,
                           const Formats& formats,
                           const Tiling& tiling,
                           std::vector<KernelUse>& uses);

}  // namespace kinglet::vulkan
