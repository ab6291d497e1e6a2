// Matrix times activations, for all block formats: a weight block is dequantized once per call and
// used for every token of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/cpu/formats.h"

namespace kinglet::inference::cpu {

struct MatMul {
  const Format* format;
  const std::byte* weights;  ///< (n_rows, n_columns) in blocks, rows row_bytes apart
  std::size_t row_bytes;
  std::uint32_t n_columns;
  /// (n_tokens, n_columns), rows x_stride apart; padded(n_columns) floats are read of each, what
  /// lies beyond n_columns must be finite.
  const float* x;
  std::size_t x_stride;
  float* out;  ///< (n_tokens, n_rows), rows out_stride apart
  std::size_t out_stride;
  std::uint32_t n_tokens;
  const float* bias = nullptr;  ///< (n_rows), or null: nothing is added
};

/// Rows are computed in groups of this many: cut work there.
inline constexpr std::uint32_t kRowTile = 4;

/// out[t][r] = bias[r] + sum over c of weights[r][c] * x[t][c], for rows in [row_begin, row_end).
/// Each sum is made in the same order whatever n_tokens and the range of rows are.
void mat_mul(const MatMul& job, std::uint32_t row_begin, std::uint32_t row_end);

}  // namespace kinglet::inference::cpu
