// IQ4_NL: 32 numbers as d * level[q], q unsigned 4-bit; levels in iq4_levels.h.
//
//   bytes 0..1   d, f16
//   bytes 2..17  byte i: low nibble q[i], high nibble q[i + 16], i = 0..15
//
// d = m / -127, where m is the number of the greatest magnitude: m itself is the lowest level, and
// numbers of the other sign reach the highest, 113, only.

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "inference/quant/block_format.h"
#include "inference/quant/half.h"
#include "inference/quant/iq4_levels.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kElements = 32;
constexpr std::size_t kHalf = kElements / 2;
constexpr std::size_t kQuants = 2;
constexpr std::size_t kBytes = kQuants + kHalf;

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const std::byte* in = &blocks[block * kBytes];
    float* out = &floats[block * kElements];
    std::uint16_t half = 0;
    std::memcpy(&half, in, 2);
    const float d = half_to_float(half);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const auto quants = std::to_integer<std::size_t>(in[kQuants + i]);
      out[i] = d * static_cast<float>(kIq4Levels[quants & 0xf]);
      out[i + kHalf] = d * static_cast<float>(kIq4Levels[quants >> 4]);
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
    const float d = greatest / -127;
    const float inverse = d != 0 ? 1 / d : 0;
    const std::uint16_t half = float_to_half(d);
    std::memcpy(out, &half, 2);
    for (std::size_t i = 0; i < kHalf; ++i) {
      const int low = nearest_iq4_level(in[i] * inverse);
      const int high = nearest_iq4_level(in[i + kHalf] * inverse);
      out[kQuants + i] = static_cast<std::byte>(low | high << 4);
    }
  }
}

}  // namespace

extern const BlockFormat kIQ4_NLFormat;
constinit const BlockFormat kIQ4_NLFormat = {
    .type = TensorType::kIQ4_NL,
    .name = "IQ4_NL",
    .block_elements = kElements,
    .block_bytes = kBytes,
    .error_bound = 14.0F / 127 + 0x1p-10F,  // where 127 is missing, and the rounding of d
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
