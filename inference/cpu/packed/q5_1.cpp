// Q5_1, packed; layout in the file in inference/quant/q5_1.cpp.
#include "inference/cpu/packed/format.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q5_1.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ51 : PackedDefaults, SmallBlocks<2, 24> {
  static constexpr int kBits = 5;
  static constexpr Codes kCodes = Codes::kFiveBits;
  static constexpr bool kHasOffsets = true;
  using Head = SmallHead<2>;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    const std::byte* bytes = blocks + block * kFileBytes;
    return add_fifth_bits(load_word(bytes + 4), nibble_codes(bytes + 8));
  }
};

void multiply_q5_1(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ51>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q5_1);

extern const PackedFormat kPackedQ5_1;
constinit const PackedFormat kPackedQ5_1 = {
    .type = TensorType::kQ5_1,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ51>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ51>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q5_1)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
