// A panel of kRowTile rows x kPanel columns is unpacked to integers in the first-level cache, then
// multiplied with every token's. Highway 1.0 has no dot product of bytes: multiply_fours() is
// written per target.
#include "inference/cpu/byte_mat_mul.h"

#include <algorithm>

// The one place where VNNI pays.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/byte_mat_mul.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::uint32_t kBytePanel = 1024;  // columns; a multiple of every block length
constexpr std::size_t kRowAlignment = 64;   // what rows are padded to: the widest vector

#if HWY_TARGET == HWY_SCALAR

constexpr std::uint32_t kByteTokenTile = 1;

/// The products of n elements with their scales.
HWY_INLINE float scaled_products(const std::int8_t* w,
                                 const float* w_scales,
                                 const std::int8_t* x,
                                 const float* x_scales,
                                 std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; i += kScaleElements) {
    int dot = 0;
    for (std::size_t j = i; j < i + kScaleElements; ++j)
      dot += w[j] * x[j];
    sum += static_cast<float>(dot) * w_scales[i / kScaleElements] * x_scales[i / kScaleElements];
  }
  return sum;
}

#else

// Targets without instructions of their own work in blocks, so that it does not matter which lane a
// product lands in.
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
using ByteTag = hn::FixedTag<std::int8_t, 64>;
#elif HWY_TARGET == HWY_AVX2
using ByteTag = hn::FixedTag<std::int8_t, 32>;
#else
using ByteTag = hn::FixedTag<std::int8_t, 16>;
#endif
using IntTag = hn::Repartition<std::int32_t, ByteTag>;
using FloatTag = hn::Rebind<float, IntTag>;

constexpr std::uint32_t kByteTokenTile = HWY_TARGET == HWY_AVX2 ? 2 : 4;

/// Lane j of the result: the sum of the products of bytes 4j to 4j + 3. x is never -128.
HWY_INLINE hn::Vec<IntTag> multiply_fours(hn::Vec<ByteTag> w, hn::Vec<ByteTag> x) {
  // The instructions want one side unsigned: the weights' signs go to the activations. 128 * 127 *
  // 2 still fits the 16 bits that pairs are added in.
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  const __m512i magnitude = _mm512_abs_epi8(w.raw);
  const __m512i turned =
      _mm512_mask_sub_epi8(x.raw, _mm512_movepi8_mask(w.raw), _mm512_setzero_si512(), x.raw);
#if HWY_TARGET == HWY_AVX3_DL
  return hn::Vec<IntTag>{_mm512_dpbusd_epi32(_mm512_setzero_si512(), magnitude, turned)};
#else
  const __m512i pairs = _mm512_maddubs_epi16(magnitude, turned);
  return hn::Vec<IntTag>{_mm512_madd_epi16(pairs, _mm512_set1_epi16(1))};
#endif
#elif HWY_TARGET == HWY_AVX2
  const __m256i pairs =
      _mm256_maddubs_epi16(_mm256_abs_epi8(w.raw), _mm256_sign_epi8(x.raw, w.raw));
  return hn::Vec<IntTag>{_mm256_madd_epi16(pairs, _mm256_set1_epi16(1))};
#else
  const hn::FixedTag<std::int16_t, 8> shorts;
  const IntTag ints;
  const hn::Half<ByteTag> halves;
  auto odd = hn::Zero(ints);
  auto even = hn::ReorderWidenMulAccumulate(ints,
                                            hn::PromoteTo(shorts, hn::LowerHalf(halves, w)),
                                            hn::PromoteTo(shorts, hn::LowerHalf(halves, x)),
                                            hn::Zero(ints),
                                            odd);
  even = hn::ReorderWidenMulAccumulate(ints,
                                       hn::PromoteTo(shorts, hn::UpperHalf(halves, w)),
                                       hn::PromoteTo(shorts, hn::UpperHalf(halves, x)),
                                       even,
                                       odd);
  return hn::Add(even, odd);
#endif
}

#endif

struct Panel {
  HWY_ALIGN std::int8_t quants[kRowTile * kBytePanel];
  HWY_ALIGN float scales[std::size_t{kRowTile} * kBytePanel / kScaleElements];
  HWY_ALIGN float offsets[std::size_t{kRowTile} * kBytePanel / kOffsetElements];

  std::int8_t* row_quants(std::size_t r) { return quants + r * kBytePanel; }
  float* row_scales(std::size_t r) { return scales + r * (kBytePanel / kScaleElements); }
  float* row_offsets(std::size_t r) { return offsets + r * (kBytePanel / kOffsetElements); }
};

/// Row r of the panel from n columns of blocks, zeroed up to n_padded; all zero without blocks.
void fill_row(const Format& format,
              const std::byte* blocks,
              std::size_t n,
              std::size_t n_padded,
              std::size_t r,
              Panel& panel) {
  if (blocks == nullptr) n = 0;
  if (n > 0) {
    format.unpack(blocks, n, {panel.row_quants(r), panel.row_scales(r), panel.row_offsets(r)});
  }
  std::fill(panel.row_quants(r) + n, panel.row_quants(r) + n_padded, std::int8_t{0});
  std::fill(panel.row_scales(r) + n / kScaleElements,
            panel.row_scales(r) + n_padded / kScaleElements,
            0.0F);
  std::fill(panel.row_offsets(r) + n / kOffsetElements,
            panel.row_offsets(r) + n_padded / kOffsetElements,
            0.0F);
}

/// sums[t * kRowTile + r] = panel row r * row token + t of x, over n (padded) columns from
/// `column`.
template <std::uint32_t n_tokens>
HWY_INLINE void multiply(Panel& panel,
                         const ByteActivations& x,
                         std::uint32_t token,
                         std::size_t column,
                         std::size_t n,
                         bool has_offsets,
                         float* HWY_RESTRICT sums) {
#if HWY_TARGET == HWY_SCALAR
  for (std::uint32_t i = 0; i < n_tokens * kRowTile; ++i) {
    const std::uint32_t t = token + i / kRowTile;
    const std::size_t r = i % kRowTile;
    sums[i] = scaled_products(panel.row_quants(r),
                              panel.row_scales(r),
                              x.quants(t) + column,
                              x.scales(t) + column / kScaleElements,
                              n);
  }
#else
  const ByteTag bytes;
  const FloatTag floats;
  hn::Vec<FloatTag> accumulators[n_tokens * kRowTile];
#pragma GCC unroll 16
  for (auto& accumulator : accumulators)
    accumulator = hn::Zero(floats);
  for (std::size_t i = 0; i < n; i += hn::Lanes(bytes)) {
    hn::Vec<ByteTag> rows[kRowTile];
    hn::Vec<FloatTag> scales[kRowTile];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRowTile; ++r) {
      rows[r] = hn::Load(bytes, panel.row_quants(r) + i);
      scales[r] = hn::Load(floats, panel.row_scales(r) + i / kScaleElements);
    }
#pragma GCC unroll 4
    for (std::uint32_t t = 0; t < n_tokens; ++t) {
      const auto quants = hn::Load(bytes, x.quants(token + t) + column + i);
      const auto scale = hn::Load(floats, x.scales(token + t) + (column + i) / kScaleElements);
#pragma GCC unroll 4
      for (std::uint32_t r = 0; r < kRowTile; ++r) {
        const auto dots = hn::ConvertTo(floats, multiply_fours(rows[r], quants));
        auto& accumulator = accumulators[t * kRowTile + r];
        accumulator = hn::MulAdd(dots, hn::Mul(scale, scales[r]), accumulator);
      }
    }
  }
#pragma GCC unroll 16
  for (std::uint32_t i = 0; i < n_tokens * kRowTile; ++i) {
    sums[i] = hn::GetLane(hn::SumOfLanes(floats, accumulators[i]));
  }
#endif
  if (!has_offsets) return;
  const hn::CappedTag<float, 4> fours;
  for (std::uint32_t t = 0; t < n_tokens; ++t) {
    const float* x_sums = x.sums(token + t) + column / kOffsetElements;
    for (std::uint32_t r = 0; r < kRowTile; ++r) {
      auto accumulator = hn::Zero(fours);
      for (std::size_t i = 0; i < n / kOffsetElements; i += hn::Lanes(fours)) {
        const auto offsets = hn::Load(fours, panel.row_offsets(r) + i);
        accumulator = hn::MulAdd(offsets, hn::Load(fours, x_sums + i), accumulator);
      }
      sums[t * kRowTile + r] += hn::GetLane(hn::SumOfLanes(fours, accumulator));
    }
  }
}

void byte_mat_mul_rows(const MatMul& job,
                       const ByteActivations& x,
                       std::uint32_t row_begin,
                       std::uint32_t row_end) {
  const BlockFormat& blocks = block_format(job.format->type);
  Panel panel;
  float sums[kByteTokenTile * kRowTile];
  for (std::uint32_t row = row_begin; row < row_end; row += kRowTile) {
    const std::uint32_t n_rows = std::min(kRowTile, row_end - row);
    for (std::uint32_t column = 0; column < job.n_columns; column += kBytePanel) {
      const std::size_t n = std::min(kBytePanel, job.n_columns - column);
      const std::size_t n_padded = (n + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
      const std::size_t offset = std::size_t{column / blocks.block_elements} * blocks.block_bytes;
      for (std::uint32_t r = 0; r < kRowTile; ++r) {
        const std::byte* at =
            r < n_rows ? job.weights + (row + r) * job.row_bytes + offset : nullptr;
        fill_row(*job.format, at, n, n_padded, r, panel);
      }
      const float* bias = column == 0 && job.bias != nullptr ? job.bias + row : nullptr;
      const bool is_first = column == 0 && !job.accumulate;
      const auto store = [&](std::uint32_t token, std::uint32_t n_tokens) {
        for (std::uint32_t t = 0; t < n_tokens; ++t) {
          float* out = job.out + (token + t) * job.out_stride + row;
          for (std::uint32_t r = 0; r < n_rows; ++r) {
            const float sum = sums[t * kRowTile + r] + (bias != nullptr ? bias[r] : 0.0F);
            out[r] = is_first ? sum : out[r] + sum;
          }
        }
      };
      const bool has_offsets = job.format->has_offsets;
      std::uint32_t token = 0;
      for (; token + kByteTokenTile <= job.n_tokens; token += kByteTokenTile) {
        multiply<kByteTokenTile>(panel, x, token, column, n_padded, has_offsets, sums);
        store(token, kByteTokenTile);
      }
      for (; token < job.n_tokens; ++token) {
        multiply<1>(panel, x, token, column, n_padded, has_offsets, sums);
        store(token, 1);
      }
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(byte_mat_mul_rows);

void byte_mat_mul(const MatMul& job,
                  const ByteActivations& x,
                  std::uint32_t row_begin,
                  std::uint32_t row_end) {
  HWY_DYNAMIC_DISPATCH(byte_mat_mul_rows)(job, x, row_begin, row_end);
}

}  // namespace kinglet::inference::cpu
#endif
