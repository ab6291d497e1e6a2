// Q5_K, packed; layout in the file in inference/quant/q5_k.cpp.
#include "inference/cpu/packed/format.h"
#include "inference/cpu/packed/super_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q5_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"
#include "inference/cpu/packed/super_head-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ5K : PackedDefaults, SuperBlocks<176> {
  static constexpr int kBits = 5;
  static constexpr Codes kCodes = Codes::kFiveBits;
  static constexpr bool kHasOffsets = true;
  using Head = SuperHead;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    const std::byte* fifths = blocks + kSuperBlockHead;  // bit s of byte i: of sub-block s
    CodeWords codes = super_block_nibbles(fifths + kSubBlock, block);
    for (std::size_t i = 0; i < kBlockLines; ++i)
      codes[i] |= (load_word(fifths + 4 * i) >> block & 0x01010101) << 4;
    return codes;
  }
};

void multiply_q5_k(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ5K>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q5_k);

extern const PackedFormat kPackedQ5_K;
constinit const PackedFormat kPackedQ5_K = {
    .type = TensorType::kQ5_K,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ5K>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ5K>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q5_k)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
