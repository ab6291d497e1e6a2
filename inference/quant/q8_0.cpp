// Q8_0: 32 numbers as d * q, q signed 8-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..33  q[0..31]
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "inference/quant/block_format.h"
#include "inference/quant/half.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kElements = 32;
constexpr std::size_t kBytes = 2 + kElements;

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const std::byte* in = &blocks[block * kBytes];
    float* out = &floats[block * kElements];
    std::uint16_t half = 0;
    std::memcpy(&half, in, 2);
    const float d = half_to_float(half);
    for (std::size_t i = 0; i < kElements; ++i) {
      out[i] = d * static_cast<float>(static_cast<std::int8_t>(in[2 + i]));
    }
  }
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(floats.size() % kElements == 0 && blocks.size() == floats.size() / kElements * kBytes);
  for (std::size_t block = 0; block < floats.size() / kElements; ++block) {
    const float* in = &floats[block * kElements];
    std::byte* out = &blocks[block * kBytes];
    float greatest = 0;
    for (std::size_t i = 0; i < kElements; ++i)
      greatest = std::max(greatest, std::fabs(in[i]));
    // The quants are made with the unrounded scale, the file holds the rounded one.
    const float d = greatest / 127;
    const float inverse = d > 0 ? 1 / d : 0;
    const std::uint16_t half = float_to_half(d);
    std::memcpy(out, &half, 2);
    for (std::size_t i = 0; i < kElements; ++i) {
      const float q = std::clamp(std::round(in[i] * inverse), -127.0F, 127.0F);
      out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(q));
    }
  }
}

}  // namespace

extern const BlockFormat kQ8_0Format;
constinit const BlockFormat kQ8_0Format = {
    .type = TensorType::kQ8_0,
    .name = "Q8_0",
    .block_elements = kElements,
    .block_bytes = kBytes,
    .error_bound = 0.5F / 127 + 0x1p-10F,  // half a quant, and the rounding of d
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
