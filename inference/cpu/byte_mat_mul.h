// Matrix times activations of 8 bits: the products of a block are integers and exact, what is lost
// is lost when the activations are rounded. Precision class "8-bit activations".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <hwy/aligned_allocator.h>

#include "inference/cpu/mat_mul.h"

namespace kinglet::inference::cpu {

/// Activations that share a scale: x = scale * quant, quant within -127 to 127. Half the length of
/// the file formats' shortest common block: the scale of fewer numbers is closer to each of them.
inline constexpr std::size_t kByteBlock = 16;

/// Rows of activations in 8 bits.
class ByteActivations {
 public:
  ByteActivations() = default;
  ByteActivations(std::uint32_t n_rows, std::uint32_t most_columns);

  /// Different rows may be written by different threads. A row with a number that is none gives
  /// products that are none.
  void quantize(std::uint32_t row, std::span<const float> x);

  /// Of a row, zeroed beyond its columns up to a multiple of 64.
  const std::int8_t* quants(std::uint32_t row) const { return quants_.get() + row * stride_; }
  /// One for kScaleElements quants, as Unpacked has them.
  const float* scales(std::uint32_t row) const {
    return scales_.get() + row * (stride_ / kScaleElements);
  }
  /// Of the rounded activations, one for kOffsetElements of them. (With the sums of those before
  /// rounding an offset's error would not cancel against its scale's.)
  const float* sums(std::uint32_t row) const {
    return sums_.get() + row * (stride_ / kOffsetElements);
  }
  std::uint64_t n_bytes() const;

 private:
  std::uint32_t n_rows_ = 0;
  std::size_t stride_ = 0;
  hwy::AlignedFreeUniquePtr<std::int8_t[]> quants_;
  hwy::AlignedFreeUniquePtr<float[]> scales_;
  hwy::AlignedFreeUniquePtr<float[]> sums_;
};

/// As mat_mul(), with the first job.n_tokens rows of `x` in the place of job.x. REQUIRES
/// job.format->unpack. Each sum is made in the same order whatever n_tokens and the range of rows.
void byte_mat_mul(const MatMul& job,
                  const ByteActivations& x,
                  std::uint32_t row_begin,
                  std::uint32_t row_end);

}  // namespace kinglet::inference::cpu
