// Q5_1: 32 numbers as d * q + m, q unsigned 5-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..3   m, f16: the least of them
//   bytes 4..7   u32, bit i: the fifth bit of q[i]
//   bytes 8..23  byte i: low nibble q[i], high nibble q[i + 16], four bits each, i = 0..15

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "inference/quant/block_format.h"
#include "inference/quant/half.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kElements = 32;
constexpr std::size_t kHalf = kElements / 2;
constexpr std::size_t kFifths = 4;
constexpr std::size_t kQuants = kFifths + 4;
constexpr std::size_t kBytes = kQuants + kHalf;

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const std::byte* in = &blocks[block * kBytes];
    float* out = &floats[block * kElements];
    std::uint16_t halves[2];
    std::uint32_t fifths = 0;
    std::memcpy(halves, in, 4);
    std::memcpy(&fifths, in + kFifths, 4);
    const float d = half_to_float(halves[0]);
    const float m = half_to_float(halves[1]);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const auto quants = std::to_integer<std::uint32_t>(in[kQuants + i]);
      const std::uint32_t low = (quants & 0xf) | (fifths >> i & 1) << 4;
      const std::uint32_t high = quants >> 4 | (fifths >> (i + kHalf) & 1) << 4;
      out[i] = d * static_cast<float>(low) + m;  // the product is exact in a float
      out[i + kHalf] = d * static_cast<float>(high) + m;
    }
  }
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const float* in = &floats[block * kElements];
    std::byte* out = &blocks[block * kBytes];
    const auto [least, greatest] = std::minmax_element(in, in + kElements);
    const float d = (*greatest - *least) / 31;
    const float inverse = d != 0 ? 1 / d : 0;
    const std::uint16_t halves[2] = {float_to_half(d), float_to_half(*least)};
    const auto quant = [inverse, m = *least](float x) {
      // Never negative; rounded as the field's tools do.
      // NOLINTNEXTLINE(bugprone-incorrect-roundings)
      return std::min(31U, static_cast<std::uint32_t>((x - m) * inverse + 0.5F));
    };
    std::uint32_t fifths = 0;
    for (std::size_t i = 0; i < kHalf; ++i) {
      const std::uint32_t low = quant(in[i]);
      const std::uint32_t high = quant(in[i + kHalf]);
      out[kQuants + i] = static_cast<std::byte>((low & 0xf) | (high & 0xf) << 4);
      fifths |= low >> 4 << i | high >> 4 << (i + kHalf);
    }
    std::memcpy(out, halves, 4);
    std::memcpy(out + kFifths, &fifths, 4);
  }
}

}  // namespace

extern const BlockFormat kQ5_1Format;
constinit const BlockFormat kQ5_1Format = {
    .type = TensorType::kQ5_1,
    .name = "Q5_1",
    .block_elements = kElements,
    .block_bytes = kBytes,
    .error_bound =
        1.0F / 31 + 3 * 0x1p-11F,  // half a step from -max to max, the rounding of d and m
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}, {2, kHalfExponent}}},
};

}  // namespace kinglet::inference
