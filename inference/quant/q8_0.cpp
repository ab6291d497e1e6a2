// Q8_0: 32 numbers as d * q, q signed 8-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..33  q[0..31]
#include <algorithm>
#include <cmath>

#include "inference/quant/block_format.h"
#include "inference/quant/small_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kBytes = 2 + kSmallBlock;

void dequantize(const std::byte* in, float* out) {
  const float d = load_half(in);
  for (std::size_t i = 0; i < kSmallBlock; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(in[2 + i]));
}

void quantize(const float* in, std::byte* out) {
  // The quants are made with the unrounded scale, the file holds the rounded one.
  const float d = std::fabs(farthest_from_zero(in)) / 127;
  const float inverse = inverse_or_0(d);
  store_half(float_to_half(d), out);
  for (std::size_t i = 0; i < kSmallBlock; ++i) {
    const float q = std::clamp(std::round(in[i] * inverse), -127.0F, 127.0F);
    out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(q));
  }
}

}  // namespace

extern const BlockFormat kQ8_0Format;
constinit const BlockFormat kQ8_0Format = {
    .type = TensorType::kQ8_0,
    .name = "Q8_0",
    .block_elements = kSmallBlock,
    .block_bytes = kBytes,
    .error_bound = 0.5F / 127 + 0x1p-10F,  // half a quant, and the rounding of d
    .dequantize = dequantize_blocks<kSmallBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSmallBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
