// IQ4_XS: 256 numbers in 8 sub-blocks of 32 as d * (scale - 32) * level[q], scale unsigned 6-bit, q
// unsigned 4-bit; levels in iq4_levels.h. The product has at most 23 bits: it is exact in a float.
//
//   bytes 0..1    d, f16
//   bytes 2..3    u16, bits 2s and 2s + 1: the upper two bits of the scale of sub-block s
//   bytes 4..7    nibble s: its lower four bits
//   bytes 8..135  16 bytes a sub-block, byte i: low nibble q[i], high nibble q[i + 16], i = 0..15
#include <algorithm>
#include <cmath>
#include <cstring>

#include "inference/quant/block_format.h"
#include "inference/quant/iq4_levels.h"
#include "inference/quant/small_block.h"
#include "inference/quant/super_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kLowScales = 4;
constexpr std::size_t kQuants = kLowScales + kSubBlocks / 2;
constexpr std::size_t kBytes = kQuants + kSubBlocks * kPairBytes;

void dequantize(const std::byte* in, float* out) {
  std::uint16_t upper_scales = 0;
  std::uint32_t low_scales = 0;
  std::memcpy(&upper_scales, in + 2, 2);
  std::memcpy(&low_scales, in + kLowScales, 4);
  const float d = load_half(in);
  for (std::size_t s = 0; s < kSubBlocks; ++s) {
    const std::uint32_t scale = (low_scales >> 4 * s & 15) | (upper_scales >> 2 * s & 3) << 4;
    const float factor = d * static_cast<float>(static_cast<int>(scale) - 32);
    unpack_4_bits(in + kQuants + s * kPairBytes, out + s * kSubBlock, [factor](int q) {
      return factor * static_cast<float>(kIq4Levels[static_cast<std::size_t>(q)]);
    });
  }
}

void quantize(const float* in, std::byte* out) {
  // The number of the greatest magnitude of each sub-block is to be the lowest level, -127.
  float factors[kSubBlocks] = {};
  for (std::size_t i = 0; i < kSuperBlock; ++i) {
    float& factor = factors[i / kSubBlock];
    if (std::fabs(in[i]) > std::fabs(factor * 127)) factor = in[i] / -127;
  }
  float greatest = 0;
  for (const float factor : factors)
    greatest = std::max(greatest, std::fabs(factor));
  const std::uint16_t half = half_at_least(greatest / 31);
  const float d = half_to_float(half);
  std::uint32_t upper_scales = 0;
  std::uint32_t low_scales = 0;
  for (std::size_t s = 0; s < kSubBlocks; ++s) {
    const float rounded = d > 0 ? std::round(factors[s] / d) : 0;  // -31 to 31
    const auto scale = static_cast<std::uint32_t>(static_cast<int>(rounded) + 32);
    low_scales |= (scale & 15) << 4 * s;
    upper_scales |= scale >> 4 << 2 * s;
    const float inverse = rounded != 0 ? 1 / (d * rounded) : 0;
    pack_4_bits(in + s * kSubBlock, out + kQuants + s * kPairBytes, [inverse](float x) {
      return nearest_iq4_level(x * inverse);
    });
  }
  store_half(half, out);
  std::memcpy(out + 2, &upper_scales, 2);
  std::memcpy(out + kLowScales, &low_scales, 4);
}

}  // namespace

extern const BlockFormat kIQ4_XSFormat;
constinit const BlockFormat kIQ4_XSFormat = {
    .type = TensorType::kIQ4_XS,
    .name = "IQ4_XS",
    .block_elements = kSuperBlock,
    .block_bytes = kBytes,
    .error_bound = 14.0F / 127 * (1 + 1.0F / 31) + 0.5F / 31 +
                   0x1p-10F,  // where 127 is missing, the scale rounded
    .dequantize = dequantize_blocks<kSuperBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSuperBlock, kBytes, quantize>,
    .exponents = {{{0, kHalfExponent}}},
};

}  // namespace kinglet::inference
