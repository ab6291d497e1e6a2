// What every format does with a span of blocks: the same with each block.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstring>
#include <span>

#include "inference/quant/half.h"

namespace kinglet::inference {

inline float load_half(const std::byte* in) {
  std::uint16_t half = 0;
  std::memcpy(&half, in, sizeof half);
  return half_to_float(half);
}
inline void store_half(std::uint16_t half, std::byte* out) {
  std::memcpy(out, &half, sizeof half);
}

/// BlockFormat::dequantize, of what one block is.
template <std::size_t n_elements, std::size_t n_bytes, void (*dequantize)(const std::byte*, float*)>
void dequantize_blocks(std::span<const std::byte> blocks, std::span<float> floats) {
  const std::size_t n_blocks = floats.size() / n_elements;
  assert(floats.size() % n_elements == 0 && blocks.size() == n_blocks * n_bytes);
  for (std::size_t block = 0; block < n_blocks; ++block)
    dequantize(&blocks[block * n_bytes], &floats[block * n_elements]);
}

/// BlockFormat::quantize, likewise.
template <std::size_t n_elements, std::size_t n_bytes, void (*quantize)(const float*, std::byte*)>
void quantize_blocks(std::span<const float> floats, std::span<std::byte> blocks) {
  const std::size_t n_blocks = floats.size() / n_elements;
  assert(floats.size() % n_elements == 0 && blocks.size() == n_blocks * n_bytes);
  for (std::size_t block = 0; block < n_blocks; ++block)
    quantize(&floats[block * n_elements], &blocks[block * n_bytes]);
}

}  // namespace kinglet::inference
