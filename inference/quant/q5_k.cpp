// Q5_K: 256 numbers in 8 sub-blocks of 32 as d * scale * q - d_min * min, q unsigned 5-bit.
//
//   bytes 0..1     d, f16
//   bytes 2..3     d_min, f16
//   bytes 4..15    scales and minima (super_block.h)
//   bytes 16..47   bit s of byte i is the fifth bit of q of element i of sub-block s
//   bytes 48..175  sub-blocks in pairs: byte i of the n-th 32 bytes has four bits of q of element i
//                  of sub-block 2n in its low nibble, of sub-block 2n + 1 in its high nibble
#include "inference/quant/block_format.h"
#include "inference/quant/super_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kFifthBits = kSuperBlockHead;
constexpr std::size_t kQuants = kFifthBits + kSubBlock;
constexpr std::size_t kBytes = kQuants + kSuperBlock / 2;

void dequantize(const std::byte* in, float* out) {
  const SubBlocks sub_blocks = load_sub_blocks(in);
  for (std::size_t i = 0; i < kSuperBlock; ++i) {
    const int fifths = std::to_integer<int>(in[kFifthBits + i % kSubBlock]);
    const int fifth = fifths >> i / kSubBlock & 1;
    out[i] = sub_blocks.number(i, load_nibble(in + kQuants, i) | fifth << 4);
  }
}

void quantize(const float* in, std::byte* out) {
  const QuantizedSuperBlock super = quantize_super_block(in, 31);
  store_head(super, out);
  for (std::size_t i = 0; i < kSubBlock; ++i) {
    int fifths = 0;
    for (std::size_t s = 0; s < kSubBlocks; ++s)
      fifths |= super.quants[s * kSubBlock + i] >> 4 << s;
    out[kFifthBits + i] = static_cast<std::byte>(fifths);
  }
  store_nibbles(super, out + kQuants);
}

}  // namespace

extern const BlockFormat kQ5_KFormat;
constinit const BlockFormat kQ5_KFormat = {
    .type = TensorType::kQ5_K,
    .name = "Q5_K",
    .block_elements = kSuperBlock,
    .block_bytes = kBytes,
    .error_bound = 1.0F / 31 * (1 + 1.0F / 63) + 0x1p-10F,  // half a step from -max to max
    .dequantize = dequantize_blocks<kSuperBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSuperBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}, {2, kHalfExponent}}},
};

}  // namespace kinglet::inference
