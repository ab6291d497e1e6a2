// Q4_1, packed; layout in the file in inference/quant/q4_1.cpp.
#include "inference/cpu/packed/format.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q4_1.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ41 : PackedDefaults, SmallBlocks<2, 20> {
  static constexpr int kBits = 4;
  static constexpr bool kHasOffsets = true;
  using Head = SmallHead<2>;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    return nibble_codes(blocks + block * kFileBytes + 4);
  }
};

void multiply_q4_1(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ41>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q4_1);

extern const PackedFormat kPackedQ4_1;
constinit const PackedFormat kPackedQ4_1 = {
    .type = TensorType::kQ4_1,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ41>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ41>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q4_1)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
