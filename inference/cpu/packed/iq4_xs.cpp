// IQ4_XS, packed; layout in the file in inference/quant/iq4_xs.cpp.
#include "inference/cpu/packed/format.h"
#include "inference/quant/iq4_levels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/iq4_xs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedIQ4XS : PackedDefaults {
  static constexpr int kBits = 4;
  static constexpr Codes kCodes = Codes::kSigned;
  static constexpr std::size_t kFileColumns = 256;
  static constexpr std::size_t kFileBytes = 136;

  // 16 halves that scale all; the low 4 bits of the scales of sub-blocks s and s + 4, for s = 0..3;
  // the upper 2 bits of those of sub-blocks s, s + 2, s + 4 and s + 6, for s = 0 and 1.
  static constexpr std::size_t kLowAt = std::size_t{2} * kPackedRows;
  static constexpr std::size_t kUpperAt = kLowAt + std::size_t{4} * kPackedRows;

  static constexpr std::size_t head_bytes(std::size_t /*n_blocks*/) {
    return whole_lines(kUpperAt + std::size_t{2} * kPackedRows);
  }
  static void pack_head(const std::byte* block,
                        std::size_t /*n_blocks*/,
                        std::uint32_t row,
                        std::byte* head) {
    store_half(block, row, head);
    const std::uint32_t upper = load_word(block) >> 16;
    const std::uint32_t low = load_word(block + 4);
    for (std::size_t s = 0; s < 4; ++s) {
      head[kLowAt + s * kPackedRows + row] =
          static_cast<std::byte>((low >> 4 * s & 15) | (low >> (4 * s + 16) & 15) << 4);
    }
    for (std::size_t s = 0; s < 2; ++s) {
      std::uint32_t bits = 0;
      for (std::size_t i = 0; i < 4; ++i)
        bits |= (upper >> 2 * (s + 2 * i) & 3) << 2 * i;
      head[kUpperAt + s * kPackedRows + row] = static_cast<std::byte>(bits);
    }
  }

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    return nibble_codes(blocks + 8 + 16 * block);
  }
  static HWY_INLINE Bytes weights(Bytes codes) { return look_up(kIq4Levels.data(), codes); }

  class Head {
   public:
    Head(const std::byte* head, std::size_t /*n_blocks*/) : head_(head) {
      const auto* low = reinterpret_cast<const std::uint8_t*>(head + kLowAt);
      const auto* upper = reinterpret_cast<const std::uint8_t*>(head + kUpperAt);
      // Two sub-blocks at once: plain loops, which the compiler makes vectors of.
      constexpr std::size_t kTwo = std::size_t{2} * kPackedRows;
#pragma GCC unroll 4
      for (std::size_t pair = 0; pair < 4; ++pair) {
        for (std::size_t i = 0; i < kTwo; ++i) {
          const int low_bits =
              pair < 2 ? low[pair * kTwo + i] & 15 : low[(pair - 2) * kTwo + i] >> 4;
          const int upper_bits = (upper[i] >> 2 * pair & 3) << 4;
          scales_[pair * kTwo + i] = static_cast<std::int8_t>((low_bits | upper_bits) - 32);
        }
      }
    }
    Floats scale(std::size_t block, std::size_t /*half*/, std::size_t part) const {
      return mul(load_halves(head_ + part * 2 * kRowLanes),
                 load_signed(scales_ + block * kPackedRows + part * kRowLanes));
    }

   private:
    const std::byte* head_;
    alignas(kLine) std::int8_t scales_[kBlockLines * kPackedRows];
  };
};

void multiply_iq4_xs(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedIQ4XS>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_iq4_xs);

extern const PackedFormat kPackedIQ4_XS;
constinit const PackedFormat kPackedIQ4_XS = {
    .type = TensorType::kIQ4_XS,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedIQ4XS>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedIQ4XS>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_iq4_xs)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
