// Q4_0: 32 numbers as d * (q - 8), q unsigned 4-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..17  byte i: low nibble q[i], high nibble q[i + 16], i = 0..15
//
// d = m / -8, where m is the number of the greatest magnitude: m itself is the quant -8 exactly,
// and numbers of the other sign reach +7 only.
#include <algorithm>

#include "inference/quant/block_format.h"
#include "inference/quant/small_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kQuants = 2;
constexpr std::size_t kBytes = kQuants + kPairBytes;

void dequantize(const std::byte* in, float* out) {
  const float d = load_half(in);
  unpack_4_bits(in + kQuants, out, [d](int q) { return d * static_cast<float>(q - 8); });
}

void quantize(const float* in, std::byte* out) {
  const float d = farthest_from_zero(in) / -8;
  store_half(float_to_half(d), out);
  pack_4_bits(in, out + kQuants, [inverse = inverse_or_0(d)](float x) {
    return static_cast<int>(std::clamp(x * inverse + 8.5F, 0.0F, 15.0F));
  });
}

}  // namespace

extern const BlockFormat kQ4_0Format;
constinit const BlockFormat kQ4_0Format = {
    .type = TensorType::kQ4_0,
    .name = "Q4_0",
    .block_elements = kSmallBlock,
    .block_bytes = kBytes,
    .error_bound = 1.0F / 8 + 0x1p-10F,  // a whole quant where +8 is missing, and the rounding of d
    .dequantize = dequantize_blocks<kSmallBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSmallBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
