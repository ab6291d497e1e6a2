// How a block format is packed: one file per format in this folder, table in all.cpp.
//
// A tile of 16 rows is a row of chunks of 256 columns, the last of which may have fewer blocks of
// 32. A chunk is a head (what scales its blocks), then the codes of one block of 32 columns after
// the other. Codes come in lines of 64 bytes, 4 consecutive columns of 16 rows each:
//
//   byte 4 r + i of line j: row r, column 4 j + i of the block
//
//   8 bits: 8 lines.
//   4 bits: 4 lines of pairs: line j in the low nibbles, line j + 4 in the high ones.
//   5 bits: those, and a line of fifth bits: bit j of a byte belongs to line j.
//   6 bits: those, and two lines of upper bits: bits 2 j and 2 j + 1 belong to line j of the first
//           half in the first one, of the second half in the second one.
//
// So a 32-bit lane of a vector has 4 products of one row to add, a lane of sums is a row's, and the
// activations to multiply with are the same in all lanes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inference/cpu/byte_activations.h"
#include "inference/cpu/packed.h"
#include "inference/quant/block_format.h"

namespace kinglet::inference::cpu {

inline constexpr std::size_t kLine = 64;
inline constexpr std::size_t kChunkColumns = 256;
inline constexpr std::size_t kBlockColumns = 32;
inline constexpr std::size_t kBlockLines = 8;  // of 8 bits
static_assert(kBlockColumns == ByteColumns::kColumns);

/// Tiles of one matrix.
struct PackedTiles {
  const std::byte* first;
  std::size_t stride;  ///< bytes from one to the next
  std::uint32_t n;
};

/// Activations of consecutive tokens.
struct PackedTokens {
  const ByteColumns* first;
  std::size_t stride;
  std::uint32_t n;
};

struct PackedFormat {
  TensorType type;
  /// Of a whole tile; a multiple of kLine.
  std::size_t (*tile_bytes)(std::size_t n_columns);
  /// Rows [n_rows, 16) become zeros.
  void (*pack)(const std::byte* rows,
               std::size_t row_bytes,
               std::uint32_t n_rows,
               std::size_t n_columns,
               std::byte* tile);
  /// sums: (tiles, tokens, 16).
  void (*multiply)(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums);
};

/// Null for a format of plain floats.
const PackedFormat* find_packed_format(TensorType type);

}  // namespace kinglet::inference::cpu
