// How the numbers of a tensor are stored. A format is one file in this folder and one row in
// all.cpp; the layouts are those of GGUF files and are never converted, so they may not change.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kinglet::inference {

/// A tensor's type as GGUF numbers it. Only the types that have a row in all.cpp are listed.
enum class TensorType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kBF16 = 30,
};

/// The bits of an exponent in the upper 16 bits of a number.
inline constexpr std::uint16_t kHalfExponent = 0x7c00;
inline constexpr std::uint16_t kFloatExponent = 0x7f80;  // F32 and BF16

/// A row of a tensor is a whole number of blocks; a block of `block_elements` consecutive numbers
/// takes `block_bytes` bytes. All numbers are little-endian; blocks need no alignment.
struct BlockFormat {
  TensorType type;
  std::string_view name;  // as people write it: "Q8_0"
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
  /// |x - dequantize(quantize(x))| <= error_bound * max |x| over each block, for numbers whose
  /// magnitude is between 1e-3 and 6e4. 0: exact.
  float error_bound;

  /// Both REQUIRE floats.size() * block_bytes == blocks.size() * block_elements, whole blocks.
  /// Any bytes are a valid block (a scale may be NaN or Inf: the numbers then are, too).
  void (*dequantize)(std::span<const std::byte> blocks, std::span<float> floats);
  /// REQUIRES finite numbers. Formats with one scale a block round as the field's tools do, so that
  /// a file we write is the file they write. Formats with a scale of scales take the straight way,
  /// from the least and the greatest number; the field's tools search for better ones.
  void (*quantize)(std::span<const float> floats, std::span<std::byte> blocks);

  /// Where a block's floating-point numbers have their exponents: 16-bit words at these offsets,
  /// all bits of the mask set when the number is Inf or NaN. Unused ones have no mask.
  struct Exponent {
    std::uint16_t offset;
    std::uint16_t mask;
  };
  std::array<Exponent, 2> exponents;

  /// Whether all numbers of these whole blocks are finite. About as fast as memory is.
  bool all_finite(std::span<const std::byte> blocks) const;

  /// Bytes of n elements; nothing when n is no whole number of blocks or the bytes overflow.
  std::optional<std::uint64_t> bytes_of(std::uint64_t n_elements) const;
};

/// All formats, by type number.
std::span<const BlockFormat* const> block_formats();

/// The format of a type number read from a file; nullptr when we do not read it.
const BlockFormat* find_block_format(std::uint32_t type);

/// The format of a type that has a row.
const BlockFormat& block_format(TensorType type);

}  // namespace kinglet::inference
