// Q4_0: 32 numbers as d * (q - 8), q unsigned 4-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..17  byte i: low nibble q[i], high nibble q[i + 16], i = 0..15
//
// d = m / -8, where m is the number of the greatest magnitude: m itself is the quant -8 exactly,
// and numbers of the other sign reach +7 only.
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
constexpr std::size_t kBytes = 2 + kHalf;

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const std::byte* in = &blocks[block * kBytes];
    float* out = &floats[block * kElements];
    std::uint16_t half = 0;
    std::memcpy(&half, in, 2);
    const float d = half_to_float(half);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const int quants = std::to_integer<int>(in[2 + i]);
      out[i] = d * static_cast<float>((quants & 0xf) - 8);
      out[i + kHalf] = d * static_cast<float>((quants >> 4) - 8);
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
    const float d = greatest / -8;
    const float inverse = d != 0 ? 1 / d : 0;
    const std::uint16_t half = float_to_half(d);
    std::memcpy(out, &half, 2);
    const auto quant = [inverse](float x) {
      return static_cast<int>(std::clamp(x * inverse + 8.5F, 0.0F, 15.0F));
    };
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[2 + i] = static_cast<std::byte>(quant(in[i]) | quant(in[i + kHalf]) << 4);
    }
  }
}

}  // namespace

extern const BlockFormat kQ4_0Format;
constinit const BlockFormat kQ4_0Format = {
    .type = TensorType::kQ4_0,
    .name = "Q4_0",
    .block_elements = kElements,
    .block_bytes = kBytes,
    .error_bound = 1.0F / 8 + 0x1p-10F,  // a whole quant where +8 is missing, and the rounding of d
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
