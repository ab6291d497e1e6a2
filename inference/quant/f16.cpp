// F16: one IEEE half.
#include <cassert>
#include <cstring>

#include "inference/quant/block_format.h"
#include "inference/quant/half.h"

namespace kinglet::inference {
namespace {

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(blocks.size() == floats.size() * 2);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, &blocks[i * 2], 2);
    floats[i] = half_to_float(half);
  }
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(blocks.size() == floats.size() * 2);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    const std::uint16_t half = float_to_half(floats[i]);
    std::memcpy(&blocks[i * 2], &half, 2);
  }
}

}  // namespace

extern const BlockFormat kF16Format;
constinit const BlockFormat kF16Format = {
    .type = TensorType::kF16,
    .name = "F16",
    .block_elements = 1,
    .block_bytes = 2,
    .error_bound = 0x1p-11F,  // half a step of the 11-bit significand
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
