// Q4_K: 256 numbers in 8 sub-blocks of 32 as d * scale * q - d_min * min, q unsigned 4-bit.
//
//   bytes 0..1     d, f16
//   bytes 2..3     d_min, f16
//   bytes 4..15    scales and minima (super_block.h)
//   bytes 16..143  sub-blocks in pairs: byte i of the n-th 32 bytes has q of element i of sub-block
//                  2n in its low nibble, of sub-block 2n + 1 in its high nibble
#include "inference/quant/block_format.h"
#include "inference/quant/super_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kQuants = kSuperBlockHead;
constexpr std::size_t kBytes = kQuants + kSuperBlock / 2;

void dequantize(const std::byte* in, float* out) {
  const SubBlocks sub_blocks = load_sub_blocks(in);
  for (std::size_t i = 0; i < kSuperBlock; ++i)
    out[i] = sub_blocks.number(i, load_nibble(in + kQuants, i));
}

void quantize(const float* in, std::byte* out) {
  const QuantizedSuperBlock super = quantize_super_block(in, 15);
  store_head(super, out);
  store_nibbles(super, out + kQuants);
}

}  // namespace

extern const BlockFormat kQ4_KFormat;
constinit const BlockFormat kQ4_KFormat = {
    .type = TensorType::kQ4_K,
    .name = "Q4_K",
    .block_elements = kSuperBlock,
    .block_bytes = kBytes,
    .error_bound = 1.0F / 15 * (1 + 1.0F / 63) + 0x1p-10F,  // half a step from -max to max
    .dequantize = dequantize_blocks<kSuperBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSuperBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}, {2, kHalfExponent}}},
};

}  // namespace kinglet::inference
