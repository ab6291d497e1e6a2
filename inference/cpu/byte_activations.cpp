#include "inference/cpu/byte_activations.h"

#include <algorithm>
#include <cassert>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/byte_activations.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kByteBlock>;
using Ints = hn::Rebind<std::int32_t, Floats>;
constexpr std::size_t kFloats = HWY_TARGET == HWY_SCALAR ? 1 : HWY_MAX_BYTES / sizeof(float);
constexpr std::size_t kVectors = kFloats > kByteBlock ? 1 : kByteBlock / kFloats;

/// A block, which is a half of `out`.
HWY_INLINE void quantize_block(const hn::Vec<Floats> (&x)[kVectors],
                               std::size_t half,
                               ByteColumns& out) {
  const Floats floats;
  const Ints ints;
  const hn::Rebind<std::int8_t, Ints> bytes;
  // As integers, magnitudes keep their order, and what is no number is above them all.
  auto most = hn::Zero(ints);
#pragma GCC unroll 16
  for (const auto& numbers : x)
    most = hn::Max(most, hn::BitCast(ints, hn::Abs(numbers)));
  const auto all_most = hn::MaxOfLanes(ints, most);
  const float greatest = hn::GetLane(hn::BitCast(floats, all_most));
  // Below this the reciprocal would be no number; nothing is lost of what a sum could show.
  const bool is_zero = greatest < 1e-35F;
  // An infinity times 0, like a NaN, leaves no number.
  out.scales[half] = is_zero ? 0.0F : greatest / 127 + greatest * 0.0F;
  const auto inverse = hn::Set(floats, is_zero ? 0.0F : 127 / greatest);
  std::int8_t* quants = out.quants + half * kByteBlock;
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kVectors; ++i) {
    const auto quant = hn::NearestInt(hn::Mul(x[i], inverse));
    const auto bounded = hn::Min(hn::Max(quant, hn::Set(ints, -127)), hn::Set(ints, 127));
    hn::StoreU(hn::DemoteTo(bytes, bounded), bytes, quants + i * kFloats);
  }
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < kByteBlock; ++i)
    sum += quants[i];
  out.zeros[half] = -128 * sum;
  out.sums[half] = out.scales[half] * static_cast<float>(sum);
}

HWY_INLINE void quantize_columns(const float* x, ByteColumns& out) {
  for (std::size_t half = 0; half < 2; ++half, x += kByteBlock) {
    hn::Vec<Floats> numbers[kVectors];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kVectors; ++i)
      numbers[i] = hn::LoadU(Floats(), x + i * kFloats);
    quantize_block(numbers, half, out);
  }
  out.sum = out.sums[0] + out.sums[1];
}

void quantize_row(const float* x, std::size_t n, ByteColumns* columns) {
  std::size_t at = 0;
  for (; at + ByteColumns::kColumns <= n; at += ByteColumns::kColumns)
    quantize_columns(x + at, *columns++);
  if (at == n) return;
  HWY_ALIGN float rest[ByteColumns::kColumns] = {};
  std::copy(x + at, x + n, rest);
  quantize_columns(rest, *columns);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(quantize_row);

ByteActivations::ByteActivations(std::uint32_t n_rows, std::uint32_t most_columns)
    : n_rows_(n_rows),
      stride_((most_columns + ByteColumns::kColumns - 1) / ByteColumns::kColumns),
      columns_(hwy::AllocateAligned<ByteColumns>(n_rows * stride_)) {}

void ByteActivations::quantize(std::uint32_t row, std::span<const float> x, std::size_t column) {
  assert(column % ByteColumns::kColumns == 0);
  ByteColumns* columns = columns_.get() + row * stride_ + column / ByteColumns::kColumns;
  HWY_DYNAMIC_DISPATCH(quantize_row)(x.data(), x.size(), columns);
}

}  // namespace kinglet::inference::cpu
#endif
