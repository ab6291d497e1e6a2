// What becomes of the sums of a tile of products: the operations after a product, done while its
// sums are in the nearest cache.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::inference::cpu {

/// Rows of sums, one for each token, so many floats apart.
inline constexpr std::uint32_t kTileRows = 16;

/// Sums of neighbouring rows of a matrix: (n_tokens, kTileRows), of which the first n_rows are
/// meant. The value of one is (sum + bias) * scale.
struct TileSums {
  const float* sums;
  const float* bias;  ///< (n_rows) or null
  float scale;
};

struct TileOut {
  float* out;  ///< (n_tokens, n_rows), tokens out_stride apart; nothing beside it is written
  std::size_t out_stride;
  std::uint32_t n_tokens;
  std::uint32_t n_rows;  ///< 1 to kTileRows
};

/// out = value.
void store_tile(const TileSums& tile, const TileOut& out);
/// out += value.
void add_tile(const TileSums& tile, const TileOut& out);
/// out = gelu(value).
void gelu_tile(const TileSums& tile, const TileOut& out);
/// out = silu(gate's value) * up's value.
void swi_glu_tile(const TileSums& gate, const TileSums& up, const TileOut& out);
/// out = gelu(gate's value) * up's value.
void ge_glu_tile(const TileSums& gate, const TileSums& up, const TileOut& out);

}  // namespace kinglet::inference::cpu
