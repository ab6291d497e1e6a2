// A panel of kRowTile rows x kPanel columns is dequantized to f32 in the first-level cache, then
// multiplied with every token's part of x, kTokenTile tokens at a time: kRowTile * kTokenTile sums
// live in registers, each a vector along the columns. Dot products need no repacking of weights or
// activations; the price is one horizontal sum per kPanel columns.
#include "inference/cpu/mat_mul.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/mat_mul.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPadding>;

constexpr std::uint32_t kPanel = 1024;  // columns; a multiple of every block length
// What fits the registers: 16 on x86 before AVX-512, 32 elsewhere.
constexpr std::uint32_t kTokenTile = HWY_TARGET == HWY_AVX3 || !HWY_ARCH_X86 ? 6 : 3;

/// sums[t * kRowTile + r] = panel row r * x row t, over n (padded) columns.
template <std::uint32_t n_tokens>
HWY_INLINE void multiply(const float* HWY_RESTRICT panel,
                         const float* HWY_RESTRICT x,
                         std::size_t x_stride,
                         std::size_t n,
                         float* HWY_RESTRICT sums) {
  const Floats floats;
  hn::Vec<Floats> accumulators[n_tokens * kRowTile];
#pragma GCC unroll 24
  for (auto& accumulator : accumulators)
    accumulator = hn::Zero(floats);
  for (std::size_t i = 0; i < n; i += hn::Lanes(floats)) {
    hn::Vec<Floats> rows[kRowTile];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRowTile; ++r)
      rows[r] = hn::Load(floats, panel + r * kPanel + i);
#pragma GCC unroll 6
    for (std::uint32_t t = 0; t < n_tokens; ++t) {
      const auto column = hn::LoadU(floats, x + t * x_stride + i);
#pragma GCC unroll 4
      for (std::uint32_t r = 0; r < kRowTile; ++r) {
        auto& accumulator = accumulators[t * kRowTile + r];
        accumulator = hn::MulAdd(rows[r], column, accumulator);
      }
    }
  }
#pragma GCC unroll 24
  for (std::uint32_t i = 0; i < n_tokens * kRowTile; ++i) {
    sums[i] = hn::GetLane(hn::SumOfLanes(floats, accumulators[i]));
  }
}

void mat_mul_rows(const MatMul& job, std::uint32_t row_begin, std::uint32_t row_end) {
  const std::size_t block_elements = block_format(job.format->type).block_elements;
  const std::size_t block_bytes = block_format(job.format->type).block_bytes;
  HWY_ALIGN float panel[kRowTile * kPanel];
  float sums[kTokenTile * kRowTile];
  for (std::uint32_t row = row_begin; row < row_end; row += kRowTile) {
    const std::uint32_t n_rows = std::min(kRowTile, row_end - row);
    for (std::uint32_t column = 0; column < job.n_columns; column += kPanel) {
      const std::uint32_t n_columns = std::min(kPanel, job.n_columns - column);
      const std::size_t n_padded = padded(n_columns);
      const std::size_t block_offset = column / block_elements * block_bytes;
      for (std::uint32_t r = 0; r < kRowTile; ++r) {
        float* out = panel + std::size_t{r} * kPanel;
        if (r >= n_rows) {
          std::fill_n(out, n_padded, 0.0F);
          continue;
        }
        job.format->dequantize(
            job.weights + (row + r) * job.row_bytes + block_offset, n_columns, out);
        std::fill(out + n_columns, out + n_padded, 0.0F);
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
      std::uint32_t token = 0;
      for (; token + kTokenTile <= job.n_tokens; token += kTokenTile) {
        const float* x = job.x + token * job.x_stride + column;
        multiply<kTokenTile>(panel, x, job.x_stride, n_padded, sums);
        store(token, kTokenTile);
      }
      for (; token < job.n_tokens; ++token) {
        const float* x = job.x + token * job.x_stride + column;
        multiply<1>(panel, x, job.x_stride, n_padded, sums);
        store(token, 1);
      }
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(mat_mul_rows);

void mat_mul(const MatMul& job, std::uint32_t row_begin, std::uint32_t row_end) {
  HWY_DYNAMIC_DISPATCH(mat_mul_rows)(job, row_begin, row_end);
}

}  // namespace kinglet::inference::cpu
#endif
