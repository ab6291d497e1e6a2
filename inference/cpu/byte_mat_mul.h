// Matrix times activations of 8 bits: the products of a block are integers and exact, what is lost
// is lost when the activations are rounded. Precision class "8-bit activations".
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/cpu/byte_activations.h"
#include "inference/cpu/mat_mul.h"

namespace kinglet::inference::cpu {

/// As mat_mul(), with the first job.n_tokens rows of `x` in the place of job.x. REQUIRES
/// job.format->unpack. Each sum is made in the same order whatever n_tokens and the range of rows.
void byte_mat_mul(const MatMul& job,
                  const ByteActivations& x,
                  std::uint32_t row_begin,
                  std::uint32_t row_end);

}  // namespace kinglet::inference::cpu
