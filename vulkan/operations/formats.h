// How weights and caches lie in memory, and what bounds the operations' shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "vulkan/buffer.h"
#include "vulkan/operations/tiles.h"
#include "vulkan/tuning.h"

namespace kinglet::vulkan {

/// How weights lie in memory: exactly as in a GGUF file (rows of whole blocks).
enum class WeightType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
};
std::vector<WeightType> all_weight_types();
/// Elements of one block; a row has a whole number of them.
std::uint32_t block_elements(WeightType type);
std::uint32_t block_bytes(WeightType type);

/// How a paged cache holds the elements of a head: in blocks of its own, padded with zeros to whole
/// ones. The heads of a kQ4_0 cache are rotated (kernels/rotation.glsl). Where the bytes of a block
/// lie within a page: kernels/cached_….glsl.
enum class CacheType : std::uint8_t { kF32, kF16, kQ8_0, kQ4_0 };
/// Bytes of one position's key, or value, of one KV head.
std::uint32_t cache_row_bytes(CacheType type, std::uint32_t head_dim);

/// Longer rows do not fit the loop bound of one dispatch (stream.h).
inline constexpr std::uint32_t kMaxColumns = 40'000;
inline constexpr std::uint32_t kMaxHeadDim = 256;
/// Tokens of one operation, a dimension of the grid.
inline constexpr std::uint32_t kMaxTokens = 4'096;

struct Matrix {
  WeightType type = WeightType::kF32;
  DeviceAddress address =
      0;  // (n_rows, n_columns); a multiple of 16 where blocks have many elements
  std::uint32_t n_rows = 0;
  std::uint32_t n_columns = 0;
};

std::uint64_t row_bytes(const Matrix& matrix);
/// Of a matrix's address where its type has blocks.
inline constexpr std::uint64_t kMatrixAlignment = 16;

/// How products are computed. Exact sums are f32 throughout; the others round what they multiply.
/// What the device cannot do (has_matrix_tiles(), optional features) is computed in floats.
enum class ProductPath : std::uint8_t {
  kAuto,        // what suits the device, of class "exact" or "f16 matrices"
  kFloat,       // f32 activations: class "exact"
  kHalf,        // f16 activations and weights in tiles: class "f16 matrices"
  kIntegerDot,  // activations as bytes with a scale for every 16 or 32: class "8-bit activations"
  kMatrix,      // cooperative matrices of f16: class "f16 matrices"
};

/// "auto", "float", "half", "integer-dot", "matrix".
std::string_view path_name(ProductPath path);

/// Heads as a model has them; kernels that work on heads are compiled for them.
struct HeadShape {
  std::uint32_t head_dim = 0;     // at most kMaxHeadDim
  std::uint32_t group = 1;        // query heads of each KV head
  std::uint32_t page_tokens = 0;  // positions of a page of the cache, a multiple of 8
};

/// The formats that operations will be asked for.
struct Formats {
  std::vector<WeightType> weights = all_weight_types();
  std::vector<CacheType> caches = {
      CacheType::kF32, CacheType::kF16, CacheType::kQ8_0, CacheType::kQ4_0};
  ProductPath product_path = ProductPath::kAuto;
  std::optional<Tiling> tiling = {};  // tuned_tiling() otherwise
  Tuning tuning = {};                 // what was found on the device: tune()
  /// Of rope_store() and attention(), with each of the caches.
  std::vector<HeadShape> heads = {};
  /// Queries that one workgroup of attention takes at most, up to 8: each reads the cache once for
  /// all of its own. 0: what suits the device.
  std::uint32_t attention_rows = 0;
};

}  // namespace kinglet::vulkan
