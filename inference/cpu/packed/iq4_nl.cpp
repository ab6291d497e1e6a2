// IQ4_NL, packed; layout in the file in inference/quant/iq4_nl.cpp.
#include "inference/cpu/packed/format.h"
#include "inference/quant/iq4_levels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/iq4_nl.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedIQ4NL : PackedDefaults, SmallBlocks<1, 18> {
  static constexpr int kBits = 4;
  static constexpr Codes kCodes = Codes::kSigned;
  using Head = SmallHead<1>;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    return nibble_codes(blocks + block * kFileBytes + 2);
  }
  static HWY_INLINE Bytes weights(Bytes codes) { return look_up(kIq4Levels.data(), codes); }
};

void multiply_iq4_nl(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedIQ4NL>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_iq4_nl);

extern const PackedFormat kPackedIQ4_NL;
constinit const PackedFormat kPackedIQ4_NL = {
    .type = TensorType::kIQ4_NL,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedIQ4NL>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedIQ4NL>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_iq4_nl)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
