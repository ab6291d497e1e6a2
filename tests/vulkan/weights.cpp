#include "tests/vulkan/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

#include "tests/support/reference_blocks.h"
#include "tests/vulkan/lab.h"

using namespace kinglet::vulkan;

namespace kinglet::test {

namespace {

struct BlockType {
  WeightType type;
  std::uint32_t gguf_type;             // as GGUF numbers it
  std::vector<std::size_t> halves_at;  // f16 numbers of a block
};
const BlockType kBlockTypes[] = {
    {WeightType::kF32, 0, {}},
    {WeightType::kF16, 1, {0}},
    {WeightType::kBF16, 30, {}},
    {WeightType::kQ8_0, 8, {0}},
    {WeightType::kQ4_0, 2, {0}},
    {WeightType::kQ4_1, 3, {0, 2}},
    {WeightType::kQ5_0, 6, {0}},
    {WeightType::kQ5_1, 7, {0, 2}},
    {WeightType::kQ4_K, 12, {0, 2}},
    {WeightType::kQ5_K, 13, {0, 2}},
    {WeightType::kQ6_K, 14, {208}},
    {WeightType::kIQ4_NL, 20, {0}},
    {WeightType::kIQ4_XS, 23, {0}},
};

}  // namespace

Weights random_weights(WeightType type, std::size_t n, std::uint32_t seed) {
  const BlockType& block_type =
      *std::ranges::find_if(kBlockTypes, [&](const BlockType& row) { return row.type == type; });
  std::mt19937 generator(seed);
  Weights weights;
  weights.bytes.resize(n / block_elements(type) * block_bytes(type));
  for (std::byte& byte : weights.bytes)
    byte = static_cast<std::byte>(generator());
  const auto put = [&](std::size_t at, const auto& value) {
    std::memcpy(&weights.bytes[at], &value, sizeof(value));
  };
  if (type == WeightType::kF32 || type == WeightType::kBF16) {
    const std::size_t bytes = block_bytes(type);
    const std::vector<float> values = random_floats(n, seed);
    for (std::size_t i = 0; i < n; ++i) {
      const auto whole = std::as_bytes(std::span(values).subspan(i, 1));
      std::ranges::copy(whole.last(bytes), &weights.bytes[i * bytes]);
    }
  }
  for (std::size_t block = 0; block < n / block_elements(type); ++block) {
    for (const std::size_t at : block_type.halves_at) {
      // Of either sign; some subnormal in f16, as tiny weights have them.
      const auto magnitude = static_cast<std::uint16_t>(
          block % 5 == 4 ? generator() % 1'024 : 0x2000 + generator() % 0x800);
      put(block * block_bytes(type) + at,
          static_cast<std::uint16_t>(magnitude | (generator() % 2 << 15)));
    }
  }
  weights.elements = reference_dequantize(block_type.gguf_type, weights.bytes);
  return weights;
}

std::uint32_t whole_blocks(WeightType type, std::uint32_t n_columns) {
  const std::uint32_t block = block_elements(type);
  return (n_columns + block - 1) / block * block;
}

void round_to_bytes(std::span<float> values) {
  constexpr std::size_t kGroup = 16;
  for (std::size_t first = 0; first < values.size(); first += kGroup) {
    const auto group = values.subspan(first, kGroup);
    float largest = 0;
    for (const float value : group)
      largest = std::max(largest, std::abs(value));
    const float inverse = largest > 0 ? 127.0F / largest : 0.0F;
    for (float& value : group)
      value = std::nearbyint(value * inverse) * (largest / 127.0F);
  }
}

}  // namespace kinglet::test
