// Weights laid out for products with 8-bit activations: rows in tiles of 16, a tile one stream of
// bytes in the order the kernel reads it. The numbers are the file's, and so is their size to about
// a hundredth. The layout does not depend on the machine; it lives in memory only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "inference/cpu/byte_activations.h"
#include "inference/quant/block_format.h"

namespace kinglet::inference::cpu {

struct PackedFormat;

/// Rows that are interleaved, so that sums never cross lanes: one vector of sums with AVX-512, two
/// with AVX2, four with SSE and NEON.
inline constexpr std::uint32_t kPackedRows = 16;

/// Tiles that are read side by side for one token: memory gives a core more at several places than
/// at one (a Zen 3 a third more).
inline constexpr std::uint32_t kMostTiles = 4;

/// Whether matrices of this type can be packed: all formats of blocks can, plain floats can not.
bool is_packable(TensorType type);

/// Tiles first, first + step, …
struct TileSet {
  std::uint32_t first;
  std::uint32_t step = 1;
  std::uint32_t n = 1;
};

class PackedMatrix {
 public:
  /// Multiple of 64. REQUIRES is_packable(type), n_columns a multiple of the format's block.
  static std::size_t bytes_of(TensorType type, std::uint32_t n_rows, std::uint32_t n_columns);

  PackedMatrix() = default;
  /// In memory of its own, in huge pages where the system gives them. Throws std::bad_alloc.
  PackedMatrix(TensorType type, std::uint32_t n_rows, std::uint32_t n_columns);
  /// In memory of the caller: bytes_of() bytes, aligned to 64, that live as long.
  PackedMatrix(TensorType type, std::uint32_t n_rows, std::uint32_t n_columns, std::byte* memory);

  std::uint32_t n_rows() const { return n_rows_; }
  std::uint32_t n_columns() const { return n_columns_; }
  std::uint32_t n_tiles() const { return (n_rows_ + kPackedRows - 1) / kPackedRows; }
  std::size_t tile_bytes() const { return tile_bytes_; }

  /// Packs rows tile * 16 to tile * 16 + 15 (the last tile: to n_rows - 1, zeros beyond), of which
  /// `rows` is the first one, in the file's blocks, the others row_bytes apart. Different tiles may
  /// be packed by different threads.
  void pack_tile(std::uint32_t tile, const std::byte* rows, std::size_t row_bytes);

 private:
  friend void multiply_tiles(const PackedMatrix& matrix,
                             TileSet tiles,
                             const ByteActivations& x,
                             std::uint32_t token_begin,
                             std::uint32_t token_end,
                             float* sums);

  struct Unmap {
    std::size_t n_bytes;
    void operator()(std::byte* memory) const;
  };

  const PackedFormat* format_ = nullptr;
  std::uint32_t n_rows_ = 0;
  std::uint32_t n_columns_ = 0;
  std::size_t tile_bytes_ = 0;
  std::byte* tiles_ = nullptr;
  std::unique_ptr<std::byte, Unmap> memory_;  // empty when it is the caller's
};

/// sums[(i * n_tokens + t) * kPackedRows + r] = row r of the i-th tile times row (token_begin + t)
/// of x. Every sum is made in the same order whatever the tiles and the range of tokens are.
void multiply_tiles(const PackedMatrix& matrix,
                    TileSet tiles,
                    const ByteActivations& x,
                    std::uint32_t token_begin,
                    std::uint32_t token_end,
                    float* sums);

}  // namespace kinglet::inference::cpu
