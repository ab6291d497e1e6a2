// Q5_0: 32 numbers as d * (q - 16), q unsigned 5-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..5   u32, bit i: the fifth bit of q[i]
//   bytes 6..21  byte i: low nibble q[i], high nibble q[i + 16], four bits each, i = 0..15
//
// d = m / -16, where m is the number of the greatest magnitude: m itself is the quant -16 exactly,
// and numbers of the other sign reach +15 only.
#include <algorithm>

#include "inference/quant/block_format.h"
#include "inference/quant/small_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kFifths = 2;
constexpr std::size_t kQuants = kFifths + kFifthBytes;
constexpr std::size_t kBytes = kQuants + kPairBytes;

void dequantize(const std::byte* in, float* out) {
  const float d = load_half(in);
  unpack_5_bits(
      in + kFifths, in + kQuants, out, [d](int q) { return d * static_cast<float>(q - 16); });
}

void quantize(const float* in, std::byte* out) {
  const float d = farthest_from_zero(in) / -16;
  store_half(float_to_half(d), out);
  pack_5_bits(in, out + kFifths, out + kQuants, [inverse = inverse_or_0(d)](float x) {
    return static_cast<int>(std::clamp(x * inverse + 16.5F, 0.0F, 31.0F));
  });
}

}  // namespace

extern const BlockFormat kQ5_0Format;
constinit const BlockFormat kQ5_0Format = {
    .type = TensorType::kQ5_0,
    .name = "Q5_0",
    .block_elements = kSmallBlock,
    .block_bytes = kBytes,
    .error_bound =
        1.0F / 16 + 0x1p-10F,  // a whole quant where +16 is missing, and the rounding of d
    .dequantize = dequantize_blocks<kSmallBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSmallBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
