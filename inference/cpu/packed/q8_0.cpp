// Q8_0, packed; layout in the file in inference/quant/q8_0.cpp.
#include "inference/cpu/packed/format.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q8_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ80 : PackedDefaults, SmallBlocks<1, 34> {
  static constexpr int kBits = 8;
  static constexpr Codes kCodes = Codes::kSigned;
  using Head = SmallHead<1>;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    CodeWords codes;
    std::memcpy(codes.data(), blocks + block * kFileBytes + 2, sizeof codes);
    return codes;
  }
};

void multiply_q8_0(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ80>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q8_0);

extern const PackedFormat kPackedQ8_0;
constinit const PackedFormat kPackedQ8_0 = {
    .type = TensorType::kQ8_0,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ80>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ80>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q8_0)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
