#include "vulkan/operations/formats.h"

#include <array>
#include <cassert>

#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

namespace {

// In the order of WeightType.
struct WeightFormat {
  std::string_view suffix;  // of kernel names
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};
constexpr std::array kWeightFormats = {
    WeightFormat{"_f32", 1, 4},
    WeightFormat{"_f16", 1, 2},
    WeightFormat{"_bf16", 1, 2},
    WeightFormat{"_q4_0", 32, 18},
    WeightFormat{"_q4_1", 32, 20},
    WeightFormat{"_q5_0", 32, 22},
    WeightFormat{"_q5_1", 32, 24},
    WeightFormat{"_q8_0", 32, 34},
    WeightFormat{"_q4_k", 256, 144},
    WeightFormat{"_q5_k", 256, 176},
    WeightFormat{"_q6_k", 256, 210},
    WeightFormat{"_iq4_nl", 32, 18},
    WeightFormat{"_iq4_xs", 256, 136},
};

const WeightFormat& format_of(WeightType type) {
  return kWeightFormats.at(static_cast<std::size_t>(type));
}

}  // namespace

std::vector<WeightType> all_weight_types() {
  std::vector<WeightType> types;
  for (std::size_t i = 0; i < kWeightFormats.size(); ++i)
    types.push_back(static_cast<WeightType>(i));
  return types;
}

std::uint32_t block_elements(WeightType type) {
  return format_of(type).block_elements;
}

std::uint32_t block_bytes(WeightType type) {
  return format_of(type).block_bytes;
}

std::uint64_t row_bytes(const Matrix& matrix) {
  return std::uint64_t{matrix.n_columns} / block_elements(matrix.type) * block_bytes(matrix.type);
}

std::uint32_t cache_row_bytes(CacheType type, std::uint32_t head_dim) {
  const WeightType blocks = block_type(type);
  return divide_up(head_dim, block_elements(blocks)) * block_bytes(blocks);
}

WeightType block_type(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return WeightType::kF32;
    case CacheType::kF16:
      return WeightType::kF16;
    case CacheType::kQ8_0:
      return WeightType::kQ8_0;
    case CacheType::kQ4_0:
      break;
  }
  return WeightType::kQ4_0;
}

void check([[maybe_unused]] const Matrix& matrix) {
  assert(matrix.n_rows > 0 && matrix.n_columns > 0 && matrix.n_columns <= kMaxColumns);
  assert(matrix.n_columns % block_elements(matrix.type) == 0);
  assert(block_elements(matrix.type) == 1 || matrix.address % kMatrixAlignment == 0);
}

std::string kernel_name(std::string_view operation, WeightType type) {
  return std::string(operation) += format_of(type).suffix;
}

std::string_view path_name(ProductPath path) {
  constexpr std::array<std::string_view, 5> kNames = {
      "auto", "float", "half", "integer-dot", "matrix"};
  return kNames.at(static_cast<std::size_t>(path));
}

}  // namespace kinglet::vulkan
