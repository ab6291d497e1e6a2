// Q5_K: 256 numbers in 8 sub-blocks of 32 as d * scale * q - d_min * min, q unsigned 5-bit.
//
//   bytes 0..1     d, f16
//   bytes 2..3     d_min, f16
//   bytes 4..15    scales and minima (super_block.h)
//   bytes 16..47   bit s of byte i is the fifth bit of q of element i of sub-block s
//   bytes 48..175  sub-blocks in pairs: byte i of the n-th 32 bytes has four bits of q of element i
//                  of sub-block 2n in its low nibble, of sub-block 2n + 1 in its high nibble
#include <cassert>
#include <cstring>

#include "inference/quant/block_format.h"
#include "inference/quant/super_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kFifthBits = 4 + kSubBlockScalesBytes;
constexpr std::size_t kQuants = kFifthBits + kSubBlock;
constexpr std::size_t kBytes = kQuants + kSuperBlock / 2;

void dequantize(std::span<const std::byte> blocks, std::span<float> floats) {
  assert(floats.size() % kSuperBlock == 0 && blocks.size() == floats.size() / kSuperBlock * kBytes);
  for (std::size_t block = 0; block < floats.size() / kSuperBlock; ++block) {
    const std::byte* in = &blocks[block * kBytes];
    float* out = &floats[block * kSuperBlock];
    std::uint16_t halves[2];
    std::memcpy(halves, in, 4);
    const SubBlockScales sub = unpack_scales(in + 4);
    for (std::size_t s = 0; s < kSubBlocks; ++s) {
      const float scale = half_to_float(halves[0]) * static_cast<float>(sub.scales[s]);
      const float min = half_to_float(halves[1]) * static_cast<float>(sub.mins[s]);
      const std::byte* pairs = in + kQuants + s / 2 * kSubBlock;
      for (std::size_t i = 0; i < kSubBlock; ++i) {
        const int pair = std::to_integer<int>(pairs[i]);
        const int fifth = std::to_integer<int>(in[kFifthBits + i]) >> s & 1;
        const int quant = (s % 2 == 0 ? pair & 15 : pair >> 4) | fifth << 4;
        out[s * kSubBlock + i] = scale * static_cast<float>(quant) - min;
      }
    }
  }
}

void quantize(std::span<const float> floats, std::span<std::byte> blocks) {
  assert(floats.size() % kSuperBlock == 0 && blocks.size() == floats.size() / kSuperBlock * kBytes);
  for (std::size_t block = 0; block < floats.size() / kSuperBlock; ++block) {
    std::byte* out = &blocks[block * kBytes];
    const QuantizedSuperBlock super = quantize_super_block(&floats[block * kSuperBlock], 31);
    std::memcpy(out, &super.d, 2);
    std::memcpy(out + 2, &super.d_min, 2);
    pack_scales(super.sub, out + 4);
    for (std::size_t i = 0; i < kSubBlock; ++i) {
      int fifths = 0;
      for (std::size_t s = 0; s < kSubBlocks; ++s)
        fifths |= super.quants[s * kSubBlock + i] >> 4 << s;
      out[kFifthBits + i] = static_cast<std::byte>(fifths);
    }
    for (std::size_t s = 0; s < kSubBlocks; s += 2) {
      const std::uint8_t* quants = &super.quants[s * kSubBlock];
      for (std::size_t i = 0; i < kSubBlock; ++i) {
        out[kQuants + s / 2 * kSubBlock + i] =
            static_cast<std::byte>((quants[i] & 15) | (quants[i + kSubBlock] & 15) << 4);
      }
    }
  }
}

}  // namespace

extern const BlockFormat kQ5_KFormat;
constinit const BlockFormat kQ5_KFormat = {
    .type = TensorType::kQ5_K,
    .name = "Q5_K",
    .block_elements = kSuperBlock,
    .block_bytes = kBytes,
    .error_bound = 1.0F / 31 * (1 + 1.0F / 63) + 0x1p-10F,  // half a step from -max to max
    .dequantize = dequantize,
    .quantize = quantize,
    .exponents = {{{0, kHalfExponent}, {2, kHalfExponent}}},
};

}  // namespace kinglet::inference
