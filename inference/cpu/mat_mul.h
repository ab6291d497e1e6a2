// Matrix times activations, for all block formats: a weight block is dequantized once per call and
// used for every token of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/cpu/formats.h"

namespace kinglet::inference::cpu {

struct MatMul {
  const Format* format = nullptr;
  const std::byte* weights = nullptr;  ///< (n_rows, n_columns) in blocks, rows row_bytes apart
  std::size_t row_bytes = 0;
  std::uint32_t n_columns = 0;
  /// (n_tokens, n_columns), rows x_stride apart; padded(n_columns) floats are read of each, what
  /// lies beyond n_columns must be finite.
  const float* x = nullptr;
  std::size_t x_stride = 0;
  float* out = nullptr;  ///< (n_tokens, n_rows), rows out_stride apart
  std::size_t out_stride = 0;
  std::uint32_t n_tokens = 0;
  const float* bias = nullptr;  ///< (n_rows), or null: nothing is added
  bool accumulate = false;      ///< the sums are added to what is in out
};

/// Rows are computed in groups of this many: cut work there.
inline constexpr std::uint32_t kRowTile = 4;

/// out[t][r] (+)= bias[r] + sum over c of weights[r][c] * x[t][c], for rows in [row_begin,
/// row_end). Each sum is made in the same order whatever n_tokens and the range of rows are.
void mat_mul(const MatMul& job, std::uint32_t row_begin, std::uint32_t row_end);

}  // namespace kinglet::inference::cpu
