// Block formats as the CPU kernels read them: one file per format, table in formats.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/quant/block_format.h"

namespace kinglet::inference::cpu {

/// Row lengths and scratch rows are padded to this many floats: the widest vector we use, so that
/// inner loops have no tail.
inline constexpr std::size_t kPadding = 16;
constexpr std::size_t padded(std::size_t n) {
  return (n + kPadding - 1) / kPadding * kPadding;
}

// In integers an element is scale * quant + offset; a scale counts for so many elements, an offset
// for so many.
inline constexpr std::size_t kScaleElements = 4;
inline constexpr std::size_t kOffsetElements = 16;

/// Where unpacked elements go. Their scales are of larger blocks; repeated, they fall in step with
/// the sums that SIMD instructions make of four products.
struct Unpacked {
  std::int8_t* quants;  ///< (n)
  float* scales;        ///< (n / kScaleElements)
  float* offsets;       ///< (n / kOffsetElements)
};

struct Format {
  TensorType type;
  /// The numbers of `n` consecutive elements (whole blocks), exactly BlockFormat::dequantize's.
  /// Writes n floats; neither pointer needs alignment.
  void (*dequantize)(const std::byte* blocks, std::size_t n, float* out);
  /// The same elements in integers, for products with 8-bit activations; null for a format of plain
  /// floats. Writes offsets only if has_offsets; the others' are 0.
  void (*unpack)(const std::byte* blocks, std::size_t n, const Unpacked& out) = nullptr;
  bool has_offsets = false;
};

/// Null when the CPU has no kernel for this format.
const Format* find_format(TensorType type);

}  // namespace kinglet::inference::cpu
