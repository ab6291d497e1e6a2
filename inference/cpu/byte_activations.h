// Activations in 8 bits, as the packed matrices' kernels read them. Precision class "8-bit
// activations".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <hwy/aligned_allocator.h>

namespace kinglet::inference::cpu {

/// Activations that share a scale: x = scale * quant, quant within -127 to 127. Half the length of
/// the file formats' shortest block: the scale of fewer numbers is closer to each of them.
inline constexpr std::size_t kByteBlock = 16;

/// Consecutive activations of one token, in one line of the cache.
struct ByteColumns {
  static constexpr std::size_t kColumns = 32;

  std::int8_t quants[kColumns];
  float scales[kColumns / kByteBlock];
  /// Of the rounded activations. (With the sums of those before rounding, the error of a weight's
  /// offset would not cancel against its scale's.)
  float sums[kColumns / kByteBlock];
  float sum;
  /// -128 * the sum of the quants: what weights in bytes without sign have too much.
  std::int32_t zeros[kColumns / kByteBlock];
  std::int32_t unused;
};
static_assert(sizeof(ByteColumns) == 64);

/// Rows of activations in 8 bits.
class ByteActivations {
 public:
  ByteActivations() = default;
  ByteActivations(std::uint32_t n_rows, std::uint32_t most_columns);

  /// Of a row, the columns from `column` on, a multiple of ByteColumns::kColumns. Zeros follow to
  /// the end of the last ByteColumns. Different ones may be written by different threads. A number
  /// that is none gives products that are none.
  void quantize(std::uint32_t row, std::span<const float> x, std::size_t column = 0);

  /// Of a row; zeros beyond its columns, to the end of the last ByteColumns.
  const ByteColumns* columns(std::uint32_t row) const { return columns_.get() + row * stride_; }
  std::size_t stride() const { return stride_; }  ///< ByteColumns from one row to the next
  std::uint64_t n_bytes() const { return std::uint64_t{n_rows_} * stride_ * sizeof(ByteColumns); }

 private:
  std::uint32_t n_rows_ = 0;
  std::size_t stride_ = 0;
  hwy::AlignedFreeUniquePtr<ByteColumns[]> columns_;
};

}  // namespace kinglet::inference::cpu
