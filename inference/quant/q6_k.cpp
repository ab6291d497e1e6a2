// Q6_K: 256 numbers in 16 sub-blocks of 16 as d * scale * (q - 32), scale signed 8-bit, q unsigned
// 6-bit. The product has at most 23 bits: it is exact in a float.
//
//   bytes 0..127    low four bits of q; see below
//   bytes 128..191  upper two bits of q
//   bytes 192..207  scales
//   bytes 208..209  d, f16
//
// Each half of the block (128 numbers, 64 bytes of low bits, 32 bytes of upper bits) is 4 rows of
// 32: element i of row r has its low bits in byte i + 32 * (r % 2), low nibble for rows 0 and 1,
// high nibble for 2 and 3, and its upper bits at bit 2r of byte i.
#include <algorithm>
#include <cmath>

#include "inference/quant/block_format.h"
#include "inference/quant/super_block.h"

namespace kinglet::inference {
namespace {

constexpr std::size_t kGroup = 16;  // numbers of one scale
constexpr std::size_t kGroups = kSuperBlock / kGroup;
constexpr std::size_t kRow = 32;
constexpr std::size_t kUpperBits = kSuperBlock / 2;
constexpr std::size_t kScales = kUpperBits + kSuperBlock / 4;
constexpr std::size_t kD = kScales + kGroups;
constexpr std::size_t kBytes = kD + 2;

/// Where the bits of an element lie.
struct Place {
  std::size_t low_byte;
  std::size_t low_shift;
  std::size_t upper_byte;
  std::size_t upper_shift;
};
constexpr Place place_of(std::size_t element) {
  const std::size_t half = element / 128;
  const std::size_t row = element % 128 / kRow;
  const std::size_t i = element % kRow;
  return {half * 64 + row % 2 * kRow + i, row / 2 * 4, kUpperBits + half * kRow + i, row * 2};
}

void dequantize(const std::byte* in, float* out) {
  const float d = load_half(in + kD);
  for (std::size_t i = 0; i < kSuperBlock; ++i) {
    const Place place = place_of(i);
    const int low = std::to_integer<int>(in[place.low_byte]) >> place.low_shift & 15;
    const int upper = std::to_integer<int>(in[place.upper_byte]) >> place.upper_shift & 3;
    const auto scale = static_cast<std::int8_t>(in[kScales + i / kGroup]);
    out[i] = d * static_cast<float>(scale) * static_cast<float>((low | upper << 4) - 32);
  }
}

void quantize(const float* in, std::byte* out) {
  std::fill(out, out + kBytes, std::byte{0});
  float scales[kGroups] = {};
  for (std::size_t i = 0; i < kSuperBlock; ++i)
    scales[i / kGroup] = std::max(scales[i / kGroup], std::fabs(in[i]) / 31);
  const std::uint16_t half = half_at_least(*std::max_element(scales, scales + kGroups) / 127);
  store_half(half, out + kD);
  const float d = half_to_float(half);
  for (std::size_t group = 0; group < kGroups; ++group) {
    const float rounded = d > 0 ? std::round(scales[group] / d) : 0;
    out[kScales + group] = static_cast<std::byte>(rounded);
    const float inverse = rounded > 0 ? 1 / (d * rounded) : 0;
    for (std::size_t i = group * kGroup; i < (group + 1) * kGroup; ++i) {
      const int quant = static_cast<int>(std::clamp(in[i] * inverse + 32.5F, 0.0F, 63.0F));
      const Place place = place_of(i);
      out[place.low_byte] |= static_cast<std::byte>((quant & 15) << place.low_shift);
      out[place.upper_byte] |= static_cast<std::byte>(quant >> 4 << place.upper_shift);
    }
  }
}

}  // namespace

extern const BlockFormat kQ6_KFormat;
constinit const BlockFormat kQ6_KFormat = {
    .type = TensorType::kQ6_K,
    .name = "Q6_K",
    .block_elements = kSuperBlock,
    .block_bytes = kBytes,
    .error_bound = 0.5F / 31 * (1 + 1.0F / 127) + 0x1p-10F,  // half a step of a rounded scale
    .dequantize = dequantize_blocks<kSuperBlock, kBytes, dequantize>,
    .quantize = quantize_blocks<kSuperBlock, kBytes, quantize>,
    .exponents = {{{kD, kHalfExponent}}},
};

}  // namespace kinglet::inference
