// What the packing of the formats shares. Plain code: it runs once, at load.
#pragma once

#include <array>

#include "inference/cpu/packed/format.h"

namespace kinglet::inference::cpu {

/// Codes of a block of 32 columns of one row, 4 to a word in their order.
using CodeWords = std::array<std::uint32_t, kBlockLines>;

inline std::uint32_t load_word(const std::byte* from) {
  std::uint32_t word = 0;
  std::memcpy(&word, from, 4);
  return word;
}

/// Bytes of the codes of a block, of 16 rows.
constexpr std::size_t code_bytes(int n_bits) {
  return kBlockLines * kLine * static_cast<std::size_t>(n_bits) / 8;
}

/// Writes the codes of a row into its block.
template <int kBits>
void store_codes(const CodeWords& codes, std::size_t row, std::byte* block) {
  const auto store = [&](std::size_t line, std::uint32_t word) {
    std::memcpy(block + line * kLine + row * 4, &word, 4);
  };
  if constexpr (kBits == 8) {
    for (std::size_t line = 0; line < kBlockLines; ++line)
      store(line, codes[line]);
    return;
  }
  constexpr std::uint32_t kLow = 0x0f0f0f0f;
  constexpr std::size_t kPairs = kBlockLines / 2;
  for (std::size_t line = 0; line < kPairs; ++line)
    store(line, (codes[line] & kLow) | (codes[line + kPairs] & kLow) << 4);
  if constexpr (kBits == 5) {
    std::uint32_t fifths = 0;
    for (std::size_t line = 0; line < kBlockLines; ++line)
      fifths |= (codes[line] >> 4 & 0x01010101) << line;
    store(kPairs, fifths);
  }
  if constexpr (kBits == 6) {
    for (std::size_t half = 0; half < 2; ++half) {
      std::uint32_t uppers = 0;
      for (std::size_t line = 0; line < kPairs; ++line)
        uppers |= (codes[half * kPairs + line] >> 4 & 0x03030303) << 2 * line;
      store(kPairs + half, uppers);
    }
  }
}

/// 16 nibbles of 32 as Q4_0 and its kin have them: the first half of the block in the low ones.
inline CodeWords nibble_codes(const std::byte* pairs) {
  CodeWords codes;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint32_t word = load_word(pairs + 4 * i);
    codes[i] = word & 0x0f0f0f0f;
    codes[i + 4] = word >> 4 & 0x0f0f0f0f;
  }
  return codes;
}

/// Bit i is the fifth one of code i.
inline CodeWords add_fifth_bits(std::uint32_t fifths, CodeWords codes) {
  for (std::uint32_t& word : codes) {
    // Bits 0 to 3, each to the bottom of a byte: the products' other bits fall outside the mask.
    word |= ((fifths & 15) * 0x00204081 & 0x01010101) << 4;
    fifths >>= 4;
  }
  return codes;
}

/// A half, into its row's place in a line of 16.
inline void store_half(const std::byte* half, std::size_t row, std::byte* line) {
  std::memcpy(line + row * 2, half, 2);
}

/// The pack and tile_bytes of a PackedFormat, from what a format says of its chunks:
///   kBits
///   kFileColumns, kFileBytes: a block of the file
///   head_bytes(n_blocks): a multiple of kLine
///   pack_head(blocks, n_blocks, row, head): of one row, from its blocks in the file
///   file_codes(blocks, block): of a block of 32
template <class Layout>
struct Packing {
  static constexpr std::size_t kBlockBytes = code_bytes(Layout::kBits);

  static constexpr std::size_t head_bytes(std::size_t n_blocks) {
    return Layout::head_bytes(n_blocks);
  }

  static std::size_t chunk_bytes(std::size_t n_blocks) {
    return Layout::head_bytes(n_blocks) + n_blocks * kBlockBytes;
  }

  static std::size_t tile_bytes(std::size_t n_columns) {
    const std::size_t rest = n_columns % kChunkColumns / kBlockColumns;
    return n_columns / kChunkColumns * chunk_bytes(kChunkColumns / kBlockColumns) +
           (rest == 0 ? 0 : chunk_bytes(rest));
  }

  static void pack(const std::byte* rows,
                   std::size_t row_bytes,
                   std::uint32_t n_rows,
                   std::size_t n_columns,
                   std::byte* tile) {
    if (n_rows < kPackedRows) std::memset(tile, 0, tile_bytes(n_columns));
    for (std::size_t column = 0; column < n_columns; column += kChunkColumns) {
      const std::size_t n_blocks = std::min(kChunkColumns, n_columns - column) / kBlockColumns;
      const std::size_t head_bytes = Layout::head_bytes(n_blocks);
      for (std::uint32_t row = 0; row < n_rows; ++row) {
        const std::byte* blocks =
            rows + row * row_bytes + column / Layout::kFileColumns * Layout::kFileBytes;
        Layout::pack_head(blocks, n_blocks, row, tile);
        for (std::size_t block = 0; block < n_blocks; ++block) {
          store_codes<Layout::kBits>(
              Layout::file_codes(blocks, block), row, tile + head_bytes + block * kBlockBytes);
        }
      }
      tile += chunk_bytes(n_blocks);
    }
  }
};

constexpr std::size_t whole_lines(std::size_t n_bytes) {
  return (n_bytes + kLine - 1) / kLine * kLine;
}

/// The head of formats whose blocks of 32 begin with a half, a scale, or with two, a scale and an
/// offset: a line of 16 scales for each block, then one of offsets.
template <std::size_t kHalves, std::size_t kBytes>
struct SmallBlocks {
  static constexpr std::size_t kFileColumns = kBlockColumns;
  static constexpr std::size_t kFileBytes = kBytes;

  static std::size_t head_bytes(std::size_t n_blocks) {
    return whole_lines(n_blocks * kHalves * 2 * kPackedRows);
  }

  static void pack_head(const std::byte* blocks,
                        std::size_t n_blocks,
                        std::uint32_t row,
                        std::byte* head) {
    for (std::size_t block = 0; block < n_blocks; ++block) {
      for (std::size_t half = 0; half < kHalves; ++half) {
        store_half(blocks + block * kBytes + 2 * half,
                   row,
                   head + (block * kHalves + half) * 2 * kPackedRows);
      }
    }
  }
};

}  // namespace kinglet::inference::cpu
