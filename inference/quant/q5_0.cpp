// Q5_0: 32 numbers as d * (q - 16), q unsigned 5-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..5   u32, bit i: the fifth bit of q[i]
//   bytes 6..21  byte i: low nibble q[i], high nibble q[i + 16], four bits each, i = 0..15
//
// d = m / -16, where m is the number of the greatest magnitude: m itself is the quant -16 exactly,
// and numbers of the other sign reach +15 only.

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
constexpr std::size_t kFifths = 2;
constexpr std::size_t kQuants = kFifths + 4;
constexpr std::size_t kBytes = kQuants + kHalf;

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const std::byte* in = &blocks[block * kBytes];
    float* out = &floats[block * kElements];
    std::uint16_t half = 0;
    std::uint32_t fifths = 0;
    std::memcpy(&half, in, 2);
    std::memcpy(&fifths, in + kFifths, 4);
    const float d = half_to_float(half);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const auto quants = std::to_integer<std::uint32_t>(in[kQuants + i]);
      const std::uint32_t low = (quants & 0xf) | (fifths >> i & 1) << 4;
      const std::uint32_t high = quants >> 4 | (fifths >> (i + kHalf) & 1) << 4;
      out[i] = d * static_cast<float>(static_cast<int>(low) - 16);
      out[i + kHalf] = d * static_cast<float>(static_cast<int>(high) - 16);
    }
  }
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const float* in = &floats[block * kElements];
    std::byte* out = &blocks[block * kBytes];
    float greatest = 0;  // with its sign
    for (std::size_t i = 0; i < kElements; ++i) {
      if (std::fabs(in[i]) > std::fabs(greatest)) greatest = in[i];
    }
    const float d = greatest / -16;
    const float inverse = d != 0 ? 1 / d : 0;
    const std::uint16_t half = float_to_half(d);
    const auto quant = [inverse](float x) {
      return static_cast<std::uint32_t>(std::clamp(x * inverse + 16.5F, 0.0F, 31.0F));
    };
    std::uint32_t fifths = 0;
    for (std::size_t i = 0; i < kHalf; ++i) {
      const std::uint32_t low = quant(in[i]);
      const std::uint32_t high = quant(in[i + kHalf]);
      out[kQuants + i] = static_cast<std::byte>((low & 0xf) | (high & 0xf) << 4);
      fifths |= low >> 4 << i | high >> 4 << (i + kHalf);
    }
    std::memcpy(out, &half, 2);
    std::memcpy(out + kFifths, &fifths, 4);
  }
}

}  // namespace

extern const BlockFormat kQ5_0Format;
constinit const BlockFormat kQ5_0Format = {
    .type = TensorType::kQ5_0,
    .name = "Q5_0",
    .block_elements = kElements,
    .block_bytes = kBytes,
    .error_bound =
        1.0F / 16 + 0x1p-10F,  // a whole quant where +16 is missing, and the rounding of d
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
