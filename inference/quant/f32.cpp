// F32: one float, as it is.
#include <bit>
#include <cassert>
#include <cstring>

#include "inference/quant/block_format.h"

namespace kinglet::inference {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(blocks.size() == floats.size_bytes());
  if (!floats.empty()) std::memcpy(floats.data(), blocks.data(), blocks.size());
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(blocks.size() == floats.size_bytes());
  if (!floats.empty()) std::memcpy(blocks.data(), floats.data(), blocks.size());
}

}  // namespace

extern const BlockFormat kF32Format;
constinit const BlockFormat kF32Format = {
    .type = TensorType::kF32,
    .name = "F32",
    .block_elements = 1,
    .block_bytes = 4,
    .error_bound = 0,
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{2, kFloatExponent}}},
};

}  // namespace kinglet::inference
