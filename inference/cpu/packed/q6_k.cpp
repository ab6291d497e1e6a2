// Q6_K, packed; layout in the file in inference/quant/q6_k.cpp.
#include "inference/cpu/packed/format.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q6_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ6K : PackedDefaults {
  static constexpr int kBits = 6;
  static constexpr Codes kCodes = Codes::kSixBits;
  static constexpr int kZero = 32;
  static constexpr bool kSplitScales = true;
  static constexpr std::size_t kFileColumns = 256;
  static constexpr std::size_t kFileBytes = 210;

  // A line of halves that scale all, then a line of 16 scales, with signs, for each half of a
  // block.
  static constexpr std::size_t kScalesAt = std::size_t{2} * kPackedRows;

  static constexpr std::size_t head_bytes(std::size_t /*n_blocks*/) {
    return whole_lines(kScalesAt + std::size_t{16} * kPackedRows);
  }
  static void pack_head(const std::byte* blocks,
                        std::size_t /*n_blocks*/,
                        std::uint32_t row,
                        std::byte* head) {
    store_half(blocks + 208, row, head);
    for (std::size_t i = 0; i < 16; ++i)
      head[kScalesAt + i * kPackedRows + row] = blocks[192 + i];
  }

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    // 128 numbers are four rows of 32: the first two's low bits in the low nibbles, the others' in
    // the high ones; a byte of upper bits has two of each row.
    const std::byte* low_bits = blocks + block / 4 * 64 + block % 2 * 32;
    const std::byte* upper_bits = blocks + 128 + block / 4 * 32;
    const std::size_t row = block % 4;
    CodeWords codes;
    for (std::size_t i = 0; i < kBlockLines; ++i) {
      const std::uint32_t low = load_word(low_bits + 4 * i) >> (row < 2 ? 0 : 4) & 0x0f0f0f0f;
      const std::uint32_t upper = load_word(upper_bits + 4 * i) >> 2 * row & 0x03030303;
      codes[i] = low | upper << 4;
    }
    return codes;
  }

  class Head {
   public:
    Head(const std::byte* head, std::size_t /*n_blocks*/) : head_(head) {}
    Floats scale(std::size_t block, std::size_t half, std::size_t part) const {
      const std::byte* scales = head_ + kScalesAt + (2 * block + half) * kPackedRows;
      return mul(load_halves(head_ + part * 2 * kRowLanes),
                 load_signed(reinterpret_cast<const std::int8_t*>(scales) + part * kRowLanes));
    }

   private:
    const std::byte* head_;
  };
};

void multiply_q6_k(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ6K>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q6_k);

extern const PackedFormat kPackedQ6_K;
constinit const PackedFormat kPackedQ6_K = {
    .type = TensorType::kQ6_K,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ6K>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ6K>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q6_k)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
