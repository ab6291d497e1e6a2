// Q5_0, packed; layout in the file in inference/quant/q5_0.cpp.
#include "inference/cpu/packed/format.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q5_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ50 : PackedDefaults, SmallBlocks<1, 22> {
  static constexpr int kBits = 5;
  static constexpr Codes kCodes = Codes::kFiveBits;
  static constexpr int kZero = 16;
  using Head = SmallHead<1>;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    const std::byte* bytes = blocks + block * kFileBytes;
    return add_fifth_bits(load_word(bytes + 2), nibble_codes(bytes + 6));
  }
};

void multiply_q5_0(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ50>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q5_0);

extern const PackedFormat kPackedQ5_0;
constinit const PackedFormat kPackedQ5_0 = {
    .type = TensorType::kQ5_0,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ50>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ50>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q5_0)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
