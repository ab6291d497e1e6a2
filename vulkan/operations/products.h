// Products of weights and activations. Shapes are row-major, the last dimension contiguous; f32
// unless said otherwise.
#pragma once

#include "vulkan/operations/formats.h"

namespace kinglet::vulkan {

struct MulMat {
  Matrix weights;
  DeviceAddress input = 0;   // (n_tokens, input_stride): n_columns elements of each row
  DeviceAddress output = 0;  // (n_tokens, output_stride): n_rows elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t input_stride = 0;   // elements; 0: n_columns
  std::uint32_t output_stride = 0;  // elements; 0: n_rows
  DeviceAddress bias = 0;           // (n_rows), added to each token's output; 0: none
};

/// What a low-rank product adds: output += scale · weights^T · input.
struct LowRankAdd {
  DeviceAddress weights = 0;  // (n_columns, n_rows) f32: the matrix, transposed
  DeviceAddress input = 0;    // (n_tokens, n_columns)
  DeviceAddress output = 0;   // (n_tokens, output_stride): n_rows elements of each row
  std::uint32_t n_tokens = 0;
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;      // few: one invocation adds them up
  std::uint32_t output_stride = 0;  // elements; 0: n_rows
  float scale = 1;
};

/// Multiplications that mul_mat() does: tiles are computed whole, however few tokens they hold.
std::uint64_t mul_mat_work(const MulMat& op);

}  // namespace kinglet::vulkan
