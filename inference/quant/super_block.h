// What Q4_K and Q5_K share: a super-block of 256 numbers is 8 sub-blocks of 32, each with a 6-bit
// scale and a 6-bit minimum, which two halves scale in turn:
//
//   number = d * scale[s] * quant - d_min * min[s]
//
// Products of a half, a scale and a quant fit the 24 bits of a float: they are exact, and the
// difference is the one rounding. So fused or not, in any order, everyone gets the same number.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inference/quant/blocks.h"

namespace kinglet::inference {

inline constexpr std::size_t kSuperBlock = 256;
inline constexpr std::size_t kSubBlock = 32;
inline constexpr std::size_t kSubBlocks = kSuperBlock / kSubBlock;

struct SubBlockScales {
  std::array<std::uint8_t, kSubBlocks> scales;  // 0 to 63
  std::array<std::uint8_t, kSubBlocks> mins;    // 0 to 63
};
inline constexpr std::size_t kSubBlockScalesBytes = 12;

// Sub-blocks 0 to 3 lie in the low 6 bits of bytes 0..3 (scales) and 4..7 (minima). Of sub-blocks
// 4 to 7, bytes 8..11 hold 4 bits of the scale (low) and of the minimum (high); their upper 2 bits
// are what bytes 0..7 have left.
inline SubBlockScales unpack_scales(const std::byte* packed) {
  SubBlockScales out;
  const auto byte = [packed](std::size_t i) { return std::to_integer<std::uint32_t>(packed[i]); };
  for (std::size_t i = 0; i < 4; ++i) {
    out.scales[i] = static_cast<std::uint8_t>(byte(i) & 63);
    out.mins[i] = static_cast<std::uint8_t>(byte(i + 4) & 63);
    out.scales[i + 4] = static_cast<std::uint8_t>((byte(i + 8) & 15) | byte(i) >> 6 << 4);
    out.mins[i + 4] = static_cast<std::uint8_t>(byte(i + 8) >> 4 | byte(i + 4) >> 6 << 4);
  }
  return out;
}

inline void pack_scales(const SubBlockScales& in, std::byte* packed) {
  for (std::size_t i = 0; i < 4; ++i) {
    packed[i] = static_cast<std::byte>(in.scales[i] | in.scales[i + 4] >> 4 << 6);
    packed[i + 4] = static_cast<std::byte>(in.mins[i] | in.mins[i + 4] >> 4 << 6);
    packed[i + 8] = static_cast<std::byte>((in.scales[i + 4] & 15) | (in.mins[i + 4] & 15) << 4);
  }
}

// Both begin with d and d_min, halves, and their scales and minima.
inline constexpr std::size_t kSuperBlockHead = 4 + kSubBlockScalesBytes;

/// The scales and minima as numbers, d and d_min in them.
struct SubBlocks {
  std::array<float, kSubBlocks> scales;
  std::array<float, kSubBlocks> mins;

  float number(std::size_t element, int quant) const {
    const std::size_t s = element / kSubBlock;
    return scales[s] * static_cast<float>(quant) - mins[s];
  }
};
inline SubBlocks load_sub_blocks(const std::byte* head) {
  const float d = load_half(head);
  const float d_min = load_half(head + 2);
  const SubBlockScales packed = unpack_scales(head + 4);
  SubBlocks out;
  for (std::size_t s = 0; s < kSubBlocks; ++s) {
    out.scales[s] = d * static_cast<float>(packed.scales[s]);
    out.mins[s] = d_min * static_cast<float>(packed.mins[s]);
  }
  return out;
}

/// Four bits of an element's quant. Sub-blocks lie in pairs: byte i of the n-th 32 bytes has those
/// of element i of sub-block 2n in its low nibble, of sub-block 2n + 1 in its high nibble.
inline int load_nibble(const std::byte* pairs, std::size_t element) {
  const std::size_t s = element / kSubBlock;
  const int pair = std::to_integer<int>(pairs[s / 2 * kSubBlock + element % kSubBlock]);
  return s % 2 == 0 ? pair & 15 : pair >> 4;
}

/// The least half that is not below `value`, which is 0 to 65,504. A scale of scales is rounded up:
/// the integers under it then stay within their range, and make up for what it gained.
inline std::uint16_t half_at_least(float value) {
  const std::uint16_t half = float_to_half(value);
  return half_to_float(half) < value ? static_cast<std::uint16_t>(half + 1) : half;
}

struct QuantizedSuperBlock {
  std::uint16_t d;      // half
  std::uint16_t d_min;  // half
  SubBlockScales sub;
  std::array<std::uint8_t, kSuperBlock> quants;
};

/// Spreads `most_quant` steps between the least number of each sub-block (0, if all are above it)
/// and the greatest.
inline QuantizedSuperBlock quantize_super_block(const float* in, int most_quant) {
  QuantizedSuperBlock out = {};
  const auto steps = static_cast<float>(most_quant);
  std::array<float, kSubBlocks> scales;
  std::array<float, kSubBlocks> mins;
  for (std::size_t s = 0; s < kSubBlocks; ++s) {
    const auto [least, greatest] =
        std::minmax_element(in + s * kSubBlock, in + (s + 1) * kSubBlock);
    mins[s] = std::max(-*least, 0.0F);
    scales[s] = (std::max(*greatest, 0.0F) + mins[s]) / steps;
  }
  out.d = half_at_least(*std::max_element(scales.begin(), scales.end()) / 63);
  out.d_min = half_at_least(*std::max_element(mins.begin(), mins.end()) / 63);
  const float d = half_to_float(out.d);
  const float d_min = half_to_float(out.d_min);
  for (std::size_t s = 0; s < kSubBlocks; ++s) {
    out.sub.scales[s] = static_cast<std::uint8_t>(d > 0 ? std::lround(scales[s] / d) : 0);
    out.sub.mins[s] = static_cast<std::uint8_t>(d_min > 0 ? std::lround(mins[s] / d_min) : 0);
    const float scale = d * static_cast<float>(out.sub.scales[s]);
    const float min = d_min * static_cast<float>(out.sub.mins[s]);
    const float inverse = scale > 0 ? 1 / scale : 0;
    for (std::size_t i = s * kSubBlock; i < (s + 1) * kSubBlock; ++i) {
      const float quant = std::clamp((in[i] + min) * inverse + 0.5F, 0.0F, steps);
      out.quants[i] = static_cast<std::uint8_t>(quant);
    }
  }
  return out;
}

inline void store_head(const QuantizedSuperBlock& super, std::byte* head) {
  store_half(super.d, head);
  store_half(super.d_min, head + 2);
  pack_scales(super.sub, head + 4);
}

/// The lower four bits of all quants, as load_nibble reads them.
inline void store_nibbles(const QuantizedSuperBlock& super, std::byte* pairs) {
  for (std::size_t s = 0; s < kSubBlocks; s += 2) {
    const std::uint8_t* quants = &super.quants[s * kSubBlock];
    for (std::size_t i = 0; i < kSubBlock; ++i) {
      pairs[s / 2 * kSubBlock + i] =
          static_cast<std::byte>((quants[i] & 15) | (quants[i + kSubBlock] & 15) << 4);
    }
  }
}

}  // namespace kinglet::inference
