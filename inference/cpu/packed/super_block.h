// What Q4_K and Q5_K share when they are packed: the layout of their scales.
#pragma once

#include "inference/cpu/packed/pack.h"
#include "inference/quant/super_block.h"

namespace kinglet::inference::cpu {

/// A chunk is a super-block. Its head, in 16ths for the rows:
///
///   32 bytes          d, halves
///   32 bytes          d_min, halves
///   8 x 16 bytes      of sub-block s: the low 4 bits of its scale, the low 4 bits of its minimum
///   4 x 16 bytes      the upper 2 bits of the scale and of the minimum of sub-block s, then those
///                     of sub-block s + 4
template <std::size_t kBytes>
struct SuperBlocks {
  static constexpr std::size_t kFileColumns = kSuperBlock;
  static constexpr std::size_t kFileBytes = kBytes;

  static constexpr std::size_t head_bytes(std::size_t /*n_blocks*/) { return 4 * kLine; }

  static void pack_head(const std::byte* block,
                        std::size_t /*n_blocks*/,
                        std::uint32_t row,
                        std::byte* head) {
    store_half(block, row, head);
    store_half(block + 2, row, head + std::size_t{2} * kPackedRows);
    const SubBlockScales in = unpack_scales(block + 4);
    for (std::size_t s = 0; s < kSubBlocks; ++s) {
      head[kLine + s * kPackedRows + row] =
          static_cast<std::byte>((in.scales[s] & 15) | (in.mins[s] & 15) << 4);
    }
    for (std::size_t s = 0; s < kSubBlocks / 2; ++s) {
      const auto upper = [](int low, int high) { return low >> 4 | high >> 4 << 2; };
      head[3 * kLine + s * kPackedRows + row] = static_cast<std::byte>(
          upper(in.scales[s], in.mins[s]) | upper(in.scales[s + 4], in.mins[s + 4]) << 4);
    }
  }
};

/// Low 4 bits of a sub-block: pairs of them have 32 bytes, the first in the low nibbles.
inline CodeWords super_block_nibbles(const std::byte* pairs, std::size_t block) {
  CodeWords codes;
  for (std::size_t i = 0; i < kBlockLines; ++i)
    codes[i] = load_word(pairs + block / 2 * kSubBlock + 4 * i) >> block % 2 * 4 & 0x0f0f0f0f;
  return codes;
}

}  // namespace kinglet::inference::cpu
