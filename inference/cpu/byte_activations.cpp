#include "inference/cpu/byte_activations.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/byte_activations.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void quantize_row(const float* x, std::size_t n, ByteColumns* columns) {
  const hn::CappedTag<float, kByteBlock> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::int8_t, decltype(floats)> bytes;
  const std::size_t n_padded =
      (n + ByteColumns::kColumns - 1) / ByteColumns::kColumns * ByteColumns::kColumns;
  for (std::size_t block = 0; block < n_padded; block += kByteBlock) {
    ByteColumns& out = columns[block / ByteColumns::kColumns];
    const std::size_t half = block / kByteBlock % 2;
    HWY_ALIGN float numbers[kByteBlock] = {};
    std::copy_n(x + block, block < n ? std::min(kByteBlock, n - block) : 0, numbers);
    auto most = hn::Zero(floats);
    for (std::size_t i = 0; i < kByteBlock; i += hn::Lanes(floats))
      most = hn::Max(most, hn::Abs(hn::Load(floats, numbers + i)));
    const float greatest = hn::GetLane(hn::MaxOfLanes(floats, most));
    // A maximum may pass over a NaN; a sum does not.
    auto total = hn::Zero(floats);
    for (std::size_t i = 0; i < kByteBlock; i += hn::Lanes(floats))
      total = hn::Add(total, hn::Load(floats, numbers + i));
    const float poison = hn::GetLane(hn::SumOfLanes(floats, total)) * 0.0F;
    // Below this the reciprocal would be no number; nothing is lost of what a sum could show.
    const bool is_zero = greatest < 1e-35F;
    const float scale = (is_zero ? 0.0F : greatest / 127) + poison;
    const auto inverse = hn::Set(floats, is_zero ? 0.0F : 127 / greatest);
    auto sum = hn::Zero(ints);
    for (std::size_t i = 0; i < kByteBlock; i += hn::Lanes(floats)) {
      const auto quant = hn::NearestInt(hn::Mul(hn::Load(floats, numbers + i), inverse));
      const auto bounded = hn::Min(hn::Max(quant, hn::Set(ints, -127)), hn::Set(ints, 127));
      hn::StoreU(hn::DemoteTo(bytes, bounded), bytes, out.quants + half * kByteBlock + i);
      sum = hn::Add(sum, bounded);
    }
    out.scales[half] = scale;
    const std::int32_t quant_sum = hn::GetLane(hn::SumOfLanes(ints, sum));
    out.zeros[half] = -128 * quant_sum;
    out.sums[half] = scale * static_cast<float>(quant_sum);
    if (half == 1) out.sum = out.sums[0] + out.sums[1];
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(quantize_row);

static_assert(kByteBlock == kOffsetElements);

ByteActivations::ByteActivations(std::uint32_t n_rows, std::uint32_t most_columns)
    : n_rows_(n_rows),
      stride_((most_columns + std::size_t{63}) / 64 * 64 / ByteColumns::kColumns),
      columns_(hwy::AllocateAligned<ByteColumns>(n_rows * stride_)),
      quants_(hwy::AllocateAligned<std::int8_t>(n_rows * stride_ * ByteColumns::kColumns)),
      scales_(
          hwy::AllocateAligned<float>(n_rows * stride_ * ByteColumns::kColumns / kScaleElements)),
      sums_(
          hwy::AllocateAligned<float>(n_rows * stride_ * ByteColumns::kColumns / kOffsetElements)) {
}

void ByteActivations::quantize(std::uint32_t row, std::span<const float> x) {
  ByteColumns* columns = columns_.get() + row * stride_;
  HWY_DYNAMIC_DISPATCH(quantize_row)(x.data(), x.size(), columns);
  const std::size_t n = (x.size() + ByteColumns::kColumns - 1) / ByteColumns::kColumns;
  std::int8_t* quants = quants_.get() + row * stride_ * ByteColumns::kColumns;
  float* scales = scales_.get() + row * stride_ * ByteColumns::kColumns / kScaleElements;
  float* sums = sums_.get() + row * stride_ * ByteColumns::kColumns / kOffsetElements;
  for (std::size_t i = 0; i < (n + 1) / 2 * 2; ++i) {
    const ByteColumns none{};
    const ByteColumns& from = i < n ? columns[i] : none;
    std::copy_n(from.quants, ByteColumns::kColumns, quants + i * ByteColumns::kColumns);
    for (std::size_t half = 0; half < 2; ++half) {
      std::fill_n(scales + (2 * i + half) * kByteBlock / kScaleElements,
                  kByteBlock / kScaleElements,
                  from.scales[half]);
      sums[2 * i + half] = from.sums[half];
    }
  }
}

std::uint64_t ByteActivations::n_bytes() const {
  const std::uint64_t n = std::uint64_t{n_rows_} * stride_;
  return n * (sizeof(ByteColumns) + ByteColumns::kColumns * (1 + sizeof(float) / kScaleElements) +
              ByteColumns::kColumns / kOffsetElements * sizeof(float));
}

}  // namespace kinglet::inference::cpu
#endif
