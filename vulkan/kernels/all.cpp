#include "vulkan/kernels/all.h"

#include <algorithm>
#include <array>
#include <cassert>

// SPIR-V compiled from the file of the row's name (vulkan/CMakeLists.txt).
#define KINGLET_KERNELS(X)    \
  X(add)                      \
  X(argmax)                   \
  X(attention_tile_f16)       \
  X(attention_tile_f32)       \
  X(attention_tile_half_f16)  \
  X(attention_tile_half_q4_0) \
  X(attention_tile_half_q8_0) \
  X(attention_tile_q4_0)      \
  X(attention_tile_q8_0)      \
  X(attention_vec_f16)        \
  X(attention_vec_f32)        \
  X(attention_vec_q4_0)       \
  X(attention_vec_q8_0)       \
  X(geglu)                    \
  X(gelu)                     \
  X(get_rows_bf16)            \
  X(get_rows_f16)             \
  X(get_rows_f32)             \
  X(get_rows_iq4_nl)          \
  X(get_rows_iq4_xs)          \
  X(get_rows_q4_0)            \
  X(get_rows_q4_1)            \
  X(get_rows_q4_k)            \
  X(get_rows_q5_0)            \
  X(get_rows_q5_1)            \
  X(get_rows_q5_k)            \
  X(get_rows_q6_k)            \
  X(get_rows_q8_0)            \
  X(head_rms_norm)            \
  X(layer_norm)               \
  X(low_rank_add)             \
  X(mul_mat_bf16)             \
  X(mul_mat_dot_iq4_nl)       \
  X(mul_mat_dot_iq4_xs)       \
  X(mul_mat_dot_q4_0)         \
  X(mul_mat_dot_q4_1)         \
  X(mul_mat_dot_q4_k)         \
  X(mul_mat_dot_q5_0)         \
  X(mul_mat_dot_q5_1)         \
  X(mul_mat_dot_q5_k)         \
  X(mul_mat_dot_q6_k)         \
  X(mul_mat_dot_q8_0)         \
  X(mul_mat_f16)              \
  X(mul_mat_f32)              \
  X(mul_mat_half_bf16)        \
  X(mul_mat_half_f16)         \
  X(mul_mat_half_f32)         \
  X(mul_mat_half_iq4_nl)      \
  X(mul_mat_half_iq4_xs)      \
  X(mul_mat_half_q4_0)        \
  X(mul_mat_half_q4_1)        \
  X(mul_mat_half_q4_k)        \
  X(mul_mat_half_q5_0)        \
  X(mul_mat_half_q5_1)        \
  X(mul_mat_half_q5_k)        \
  X(mul_mat_half_q6_k)        \
  X(mul_mat_half_q8_0)        \
  X(mul_mat_iq4_nl)           \
  X(mul_mat_iq4_xs)           \
  X(mul_mat_join)             \
  X(mul_mat_q4_0)             \
  X(mul_mat_q4_1)             \
  X(mul_mat_q4_k)             \
  X(mul_mat_q5_0)             \
  X(mul_mat_q5_1)             \
  X(mul_mat_q5_k)             \
  X(mul_mat_q6_k)             \
  X(mul_mat_q8_0)             \
  X(mul_mat_vec_bf16)         \
  X(mul_mat_vec_dot_iq4_nl)   \
  X(mul_mat_vec_dot_iq4_xs)   \
  X(mul_mat_vec_dot_q4_0)     \
  X(mul_mat_vec_dot_q4_1)     \
  X(mul_mat_vec_dot_q4_k)     \
  X(mul_mat_vec_dot_q5_0)     \
  X(mul_mat_vec_dot_q5_1)     \
  X(mul_mat_vec_dot_q5_k)     \
  X(mul_mat_vec_dot_q6_k)     \
  X(mul_mat_vec_dot_q8_0)     \
  X(mul_mat_vec_f16)          \
  X(mul_mat_vec_f32)          \
  X(mul_mat_vec_iq4_nl)       \
  X(mul_mat_vec_iq4_xs)       \
  X(mul_mat_vec_q4_0)         \
  X(mul_mat_vec_q4_1)         \
  X(mul_mat_vec_q4_k)         \
  X(mul_mat_vec_q5_0)         \
  X(mul_mat_vec_q5_1)         \
  X(mul_mat_vec_q5_k)         \
  X(mul_mat_vec_q6_k)         \
  X(mul_mat_vec_q8_0)         \
  X(probe_multiply)           \
  X(probe_multiply_dot)       \
  X(probe_multiply_half)      \
  X(probe_read)               \
  X(rms_norm)                 \
  X(rope_interleaved)         \
  X(rope_neox)                \
  X(rope_store_f16)           \
  X(rope_store_f32)           \
  X(rope_store_q4_0)          \
  X(rope_store_q8_0)          \
  X(scale)                    \
  X(soft_cap)                 \
  X(swiglu)

// SPIR-V as it lies in matrix/: today's usual shader compilers do not know these matrices
// (matrix/README.md).
#define KINGLET_MATRIX_KERNELS(X) \
  X(attention_tile_matrix_f16)    \
  X(attention_tile_matrix_q4_0)   \
  X(attention_tile_matrix_q8_0)   \
  X(mul_mat_matrix_bf16)          \
  X(mul_mat_matrix_f16)           \
  X(mul_mat_matrix_f32)           \
  X(mul_mat_matrix_iq4_nl)        \
  X(mul_mat_matrix_iq4_xs)        \
  X(mul_mat_matrix_q4_0)          \
  X(mul_mat_matrix_q4_1)          \
  X(mul_mat_matrix_q4_k)          \
  X(mul_mat_matrix_q5_0)          \
  X(mul_mat_matrix_q5_1)          \
  X(mul_mat_matrix_q5_k)          \
  X(mul_mat_matrix_q6_k)          \
  X(mul_mat_matrix_q8_0)          \
  X(probe_matrix)

namespace kinglet::vulkan {

namespace spirv_of {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name takes none.
#define KINGLET_DECLARE(name) extern const std::span<const std::uint32_t> name;
KINGLET_KERNELS(KINGLET_DECLARE)
KINGLET_MATRIX_KERNELS(KINGLET_DECLARE)
#undef KINGLET_DECLARE
}  // namespace spirv_of

#define KINGLET_ROW(name) Kernel{#name, spirv_of::name},

std::span<const Kernel> all_kernels() {
  static const std::array kKernels = {KINGLET_KERNELS(KINGLET_ROW)};
  return kKernels;
}

std::span<const Kernel> matrix_kernels() {
  static const std::array kKernels = {KINGLET_MATRIX_KERNELS(KINGLET_ROW)};
  return kKernels;
}

const Kernel& kernel(std::string_view name) {
  const auto is_meant = [&](const Kernel& row) { return row.name == name; };
  const auto kernels = all_kernels();
  const auto found = std::find_if(kernels.begin(), kernels.end(), is_meant);
  if (found != kernels.end()) return *found;
  const auto of_matrices = matrix_kernels();
  const auto other = std::find_if(of_matrices.begin(), of_matrices.end(), is_meant);
  assert(other != of_matrices.end());
  return *other;
}

}  // namespace kinglet::vulkan
