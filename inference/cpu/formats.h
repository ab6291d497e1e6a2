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

struct Format {
  TensorType type;
  /// The numbers of `n` consecutive elements (whole blocks), exactly BlockFormat::dequantize's.
  /// Writes n floats; neither pointer needs alignment.
  void (*dequantize)(const std::byte* blocks, std::size_t n, float* out);
};

/// Null when the CPU has no kernel for this format.
const Format* find_format(TensorType type);

}  // namespace kinglet::inference::cpu
