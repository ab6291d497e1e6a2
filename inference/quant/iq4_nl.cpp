// IQ4_NL: 32 numbers as d * level[q], q unsigned 4-bit; levels in iq4_levels.h.
//
//   bytes 0..1   d, f16
//   bytes 2..17  byte i: low nibble q[i], high nibble q[i + 16], i = 0..15
//
// d = m / -127, where m is the number of the greatest magnitude: m itself is the lowest level, and
// numbers of the other sign reach the highest, 113, only.
#include "inference/quant/block_format.h"
#include "inference/quant/iq4_levels.h"
#include "inference/quant/small_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kQuants = 2;
constexpr std::size_t kBytes = kQuants + kPairBytes;

void dequantize(const std::byte* in, float* out) {
  const float d = load_half(in);
  unpack_4_bits(in + kQuants, out, [d](int q) {
    return d * static_cast<float>(kIq4Levels[static_cast<std::size_t>(q)]);
  });
}

void quantize(const float* in, std::byte* out) {
  const float d = farthest_from_zero(in) / -127;
  store_half(float_to_half(d), out);
  pack_4_bits(in, out + kQuants, [inverse = inverse_or_0(d)](float x) {
    return nearest_iq4_level(x * inverse);
  });
}

}  // namespace

extern const BlockFormat kIQ4_NLFormat;
constinit const BlockFormat kIQ4_NLFormat = {
    .type = TensorType::kIQ4_NL,
    .name = "IQ4_NL",
    .block_elements = kSmallBlock,
    .block_bytes = kBytes,
    .error_bound = 14.0F / 127 + 0x1p-10F,  // where 127 is missing, and the rounding of d
    .dequantize = dequantize_blocks<kSmallBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSmallBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
