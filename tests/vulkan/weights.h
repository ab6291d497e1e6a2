// Random matrices in every block format, as a GGUF file holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vulkan/operations/formats.h"

namespace kinglet::test {

struct Weights {
  std::vector<std::byte> bytes;  // as in a GGUF file
  std::vector<double> elements;  // what they stand for
};

/// `n` elements, whole blocks; the same for the same seed. Some scales are subnormal in f16.
Weights random_weights(vulkan::WeightType type, std::size_t n, std::uint32_t seed);

/// Columns, rounded up to whole blocks.
std::uint32_t whole_blocks(vulkan::WeightType type, std::uint32_t n_columns);

/// Values as the kernels for integer dot products take them instead: of 16 in a row, the largest
/// magnitude is 127, the others are rounded to whole numbers.
void round_to_bytes(std::span<float> values);

/// Blocks of these are elements: rows may have any length.
inline constexpr vulkan::WeightType kPlainTypes[] = {
    vulkan::WeightType::kF32, vulkan::WeightType::kF16, vulkan::WeightType::kBF16};

}  // namespace kinglet::test
