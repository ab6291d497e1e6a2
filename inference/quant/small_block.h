// What formats of 32 numbers share: quants of four bits, two in a byte, and the fifth bits of all
// in one word.
//
//   byte i of the pairs:     low nibble of q[i], low nibble of q[i + 16], i = 0..15
//   bit i of the fifth bits: the fifth bit of q[i]
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inference/quant/blocks.h"

namespace kinglet::inference {

inline constexpr std::size_t kSmallBlock = 32;
inline constexpr std::size_t kPairBytes = kSmallBlock / 2;
inline constexpr std::size_t kFifthBytes = kSmallBlock / 8;

/// out[i] = number(q[i]).
template <class Number>
void unpack_4_bits(const std::byte* pairs, float* out, Number number) {
  for (std::size_t i = 0; i < kPairBytes; ++i) {
    const int pair = std::to_integer<int>(pairs[i]);
    out[i] = number(pair & 0xf);
    out[i + kPairBytes] = number(pair >> 4);
  }
}
template <class Number>
void unpack_5_bits(const std::byte* fifth_bits, const std::byte* pairs, float* out, Number number) {
  std::uint32_t fifths = 0;
  std::memcpy(&fifths, fifth_bits, kFifthBytes);
  for (std::size_t i = 0; i < kPairBytes; ++i) {
    const auto pair = std::to_integer<std::uint32_t>(pairs[i]);
    out[i] = number(static_cast<int>((pair & 0xf) | (fifths >> i & 1) << 4));
    out[i + kPairBytes] =
        number(static_cast<int>(pair >> 4 | (fifths >> (i + kPairBytes) & 1) << 4));
  }
}

/// q[i] = quant(in[i]), 0 to 15 or 31.
template <class Quant>
void pack_4_bits(const float* in, std::byte* pairs, Quant quant) {
  for (std::size_t i = 0; i < kPairBytes; ++i)
    pairs[i] = static_cast<std::byte>(quant(in[i]) | quant(in[i + kPairBytes]) << 4);
}
template <class Quant>
void pack_5_bits(const float* in, std::byte* fifth_bits, std::byte* pairs, Quant quant) {
  std::uint32_t fifths = 0;
  for (std::size_t i = 0; i < kPairBytes; ++i) {
    const auto low = static_cast<std::uint32_t>(quant(in[i]));
    const auto high = static_cast<std::uint32_t>(quant(in[i + kPairBytes]));
    pairs[i] = static_cast<std::byte>((low & 0xf) | (high & 0xf) << 4);
    fifths |= low >> 4 << i | high >> 4 << (i + kPairBytes);
  }
  std::memcpy(fifth_bits, &fifths, kFifthBytes);
}

/// The number of the greatest magnitude; the first of several.
inline float farthest_from_zero(const float* in) {
  float farthest = 0;
  for (std::size_t i = 0; i < kSmallBlock; ++i) {
    if (std::fabs(in[i]) > std::fabs(farthest)) farthest = in[i];
  }
  return farthest;
}

inline float inverse_or_0(float d) {
  return d != 0 ? 1 / d : 0;
}

/// How Q4_1 and Q5_1 quantize: steps of `d` from the least number, `min`, to the greatest.
struct Steps {
  float d;
  float min;
  float inverse;
  int most;

  /// Never negative; rounded as the field's tools do.
  int quant(float x) const {
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    return std::min(most, static_cast<int>((x - min) * inverse + 0.5F));
  }
};
inline Steps steps_of(const float* in, int most) {
  const auto [least, greatest] = std::minmax_element(in, in + kSmallBlock);
  const float d = (*greatest - *least) / static_cast<float>(most);
  return {d, *least, inverse_or_0(d), most};
}

}  // namespace kinglet::inference
