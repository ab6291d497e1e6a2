// Every block format of GGUF files in float64, one element at a time, straight from the layout. The
// references of the engine and of the kernels read weights with it; it shares no code with them.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace kinglet::test {

namespace reference_blocks {

inline int byte(const std::byte* at) {
  return std::to_integer<int>(*at);
}
/// The low four bits, or the high ones.
inline int nibble(const std::byte* at, bool high) {
  return high ? byte(at) / 16 : byte(at) % 16;
}
inline int bit(const std::byte* at, std::size_t i) {
  return byte(at + i / 8) >> i % 8 & 1;
}
inline int signed_byte(const std::byte* at) {
  return byte(at) < 128 ? byte(at) : byte(at) - 256;
}

/// IEEE 754 binary16 by its definition: sign, 5 bits of exponent (bias 15), 10 bits of fraction.
inline double half(const std::byte* at) {
  const int bits = byte(at) + 256 * byte(at + 1);
  const int exponent = bits / 1024 % 32;
  const int fraction = bits % 1024;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >= 0x8000 ? -magnitude : magnitude;
}

inline double f32(const std::byte* block, std::size_t /*i*/) {
  float value = 0;
  std::memcpy(&value, block, 4);
  return value;
}
inline double f16(const std::byte* block, std::size_t /*i*/) {
  return half(block);
}
inline double bf16(const std::byte* block, std::size_t /*i*/) {
  const std::byte whole[4] = {std::byte{0}, std::byte{0}, block[0], block[1]};
  return f32(whole, 0);
}
inline double q8_0(const std::byte* block, std::size_t i) {
  return half(block) * signed_byte(block + 2 + i);
}

/// The quant of four bits of element i, of 32 in 16 bytes.
inline int four_bits(const std::byte* pairs, std::size_t i) {
  return nibble(pairs + i % 16, i >= 16);
}
inline double q4_0(const std::byte* block, std::size_t i) {
  return half(block) * (four_bits(block + 2, i) - 8);
}
inline double q4_1(const std::byte* block, std::size_t i) {
  return half(block) * four_bits(block + 4, i) + half(block + 2);
}
inline double q5_0(const std::byte* block, std::size_t i) {
  return half(block) * (four_bits(block + 6, i) + 16 * bit(block + 2, i) - 16);
}
inline double q5_1(const std::byte* block, std::size_t i) {
  return half(block) * (four_bits(block + 8, i) + 16 * bit(block + 4, i)) + half(block + 2);
}

/// scale · quant − minimum of a 256-element block with 6-bit scales and minima behind two halves.
inline double with_sub_scales(const std::byte* block, std::size_t i, int quant) {
  const std::byte* packed = block + 4;
  const std::size_t s = i / 32;
  int scale = byte(packed + s % 4) % 64;
  int minimum = byte(packed + 4 + s % 4) % 64;
  if (s >= 4) {
    scale = nibble(packed + 4 + s, false) + byte(packed + s - 4) / 64 * 16;
    minimum = nibble(packed + 4 + s, true) + byte(packed + s) / 64 * 16;
  }
  return half(block) * scale * quant - half(block + 2) * minimum;
}
inline double q4_k(const std::byte* block, std::size_t i) {
  return with_sub_scales(block, i, nibble(block + 16 + i / 64 * 32 + i % 32, i % 64 >= 32));
}
inline double q5_k(const std::byte* block, std::size_t i) {
  const int low = nibble(block + 48 + i / 64 * 32 + i % 32, i % 64 >= 32);
  return with_sub_scales(block, i, low + 16 * bit(block + 16 + i % 32, i / 32));
}
inline double q6_k(const std::byte* block, std::size_t i) {
  const std::size_t in_side = i % 128;
  const int low = nibble(block + i / 128 * 64 + in_side % 64, in_side >= 64);
  const int upper = byte(block + 128 + i / 128 * 32 + i % 32) >> in_side / 32 * 2 & 3;
  return half(block + 208) * signed_byte(block + 192 + i / 16) * (low + 16 * upper - 32);
}

inline constexpr std::array kLevels = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline double iq4_nl(const std::byte* block, std::size_t i) {
  return half(block) * kLevels.at(static_cast<std::size_t>(four_bits(block + 2, i)));
}
inline double iq4_xs(const std::byte* block, std::size_t i) {
  const std::size_t s = i / 32;
  const int upper = byte(block + 2 + s / 4) >> s % 4 * 2 & 3;
  const int scale = nibble(block + 4 + s / 2, s % 2 == 1) + 16 * upper;
  const auto level = static_cast<std::size_t>(four_bits(block + 8 + s * 16, i % 32));
  return half(block) * (scale - 32) * kLevels.at(level);
}

struct Format {
  std::uint32_t type;    // as GGUF numbers it
  std::size_t elements;  // of a block
  std::size_t bytes;     // of a block
  double (*element)(const std::byte* block, std::size_t i);
};
inline constexpr std::array<Format, 13> kFormats = {{
    {0, 1, 4, f32},
    {1, 1, 2, f16},
    {2, 32, 18, q4_0},
    {3, 32, 20, q4_1},
    {6, 32, 22, q5_0},
    {7, 32, 24, q5_1},
    {8, 32, 34, q8_0},
    {12, 256, 144, q4_k},
    {13, 256, 176, q5_k},
    {14, 256, 210, q6_k},
    {20, 32, 18, iq4_nl},
    {23, 256, 136, iq4_xs},
    {30, 1, 2, bf16},
}};

}  // namespace reference_blocks

/// The numbers that blocks of a type, as GGUF numbers it, stand for. Throws when it is not listed.
inline std::vector<double> reference_dequantize(std::uint32_t type,
                                                std::span<const std::byte> blocks) {
  for (const auto& row : reference_blocks::kFormats) {
    if (row.type != type) continue;
    std::vector<double> numbers(blocks.size() / row.bytes * row.elements);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = row.element(&blocks[i / row.elements * row.bytes], i % row.elements);
    }
    return numbers;
  }
  throw std::invalid_argument("the reference does not read type " + std::to_string(type));
}

}  // namespace kinglet::test
