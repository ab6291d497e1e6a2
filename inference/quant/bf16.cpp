// BF16: the upper half of a float.
#include <bit>
#include <cassert>
#include <cstring>

#include "inference/quant/block_format.h"

namespace kinglet::inference {
namespace {

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(blocks.size() == floats.size() * 2);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    std::uint16_t upper = 0;
    std::memcpy(&upper, &blocks[i * 2], 2);
    floats[i] = std::bit_cast<float>(std::uint32_t{upper} << 16);
  }
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(blocks.size() == floats.size() * 2);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    // To nearest, ties to even.
    const auto bits = std::bit_cast<std::uint32_t>(floats[i]);
    const auto upper = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    std::memcpy(&blocks[i * 2], &upper, 2);
  }
}

}  // namespace

extern const BlockFormat kBF16Format;
constinit const BlockFormat kBF16Format = {
    .type = TensorType::kBF16,
    .name = "BF16",
    .block_elements = 1,
    .block_bytes = 2,
    .error_bound = 0x1p-8F,  // half a step of the 8-bit significand
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kFloatExponent}}},
};

}  // namespace kinglet::inference
