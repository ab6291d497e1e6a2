// Q5_1: 32 numbers as d * q + m, q unsigned 5-bit.
//
//   bytes 0..1   d, f16
//   bytes 2..3   m, f16: the least of them
//   bytes 4..7   u32, bit i: the fifth bit of q[i]
//   bytes 8..23  byte i: low nibble q[i], high nibble q[i + 16], four bits each, i = 0..15
#include "inference/quant/block_format.h"
#include "inference/quant/small_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kFifths = 4;
constexpr std::size_t kQuants = kFifths + kFifthBytes;
constexpr std::size_t kBytes = kQuants + kPairBytes;

void dequantize(const std::byte* in, float* out) {
  const float d = load_half(in);
  const float m = load_half(in + 2);
  // The product is exact in a float.
  unpack_5_bits(
      in + kFifths, in + kQuants, out, [d, m](int q) { return d * static_cast<float>(q) + m; });
}

void quantize(const float* in, std::byte* out) {
  const Steps steps = steps_of(in, 31);
  store_half(float_to_half(steps.d), out);
  store_half(float_to_half(steps.min), out + 2);
  pack_5_bits(in, out + kFifths, out + kQuants, [&](float x) { return steps.quant(x); });
}

}  // namespace

extern const BlockFormat kQ5_1Format;
constinit const BlockFormat kQ5_1Format = {
    .type = TensorType::kQ5_1,
    .name = "Q5_1",
    .block_elements = kSmallBlock,
    .block_bytes = kBytes,
    .error_bound =
        1.0F / 31 + 3 * 0x1p-11F,  // half a step from -max to max, the rounding of d and m
    .dequantize = dequantize_blocks<kSmallBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSmallBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}, {2, kHalfExponent}}},
};

}  // namespace kinglet::inference
