// Q4_K, packed; layout in the file in inference/quant/q4_k.cpp.
#include "inference/cpu/packed/format.h"
#include "inference/cpu/packed/super_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/packed/q4_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/packed/kernel-inl.h"
#include "inference/cpu/packed/super_head-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

struct PackedQ4K : PackedDefaults, SuperBlocks<144> {
  static constexpr int kBits = 4;
  static constexpr bool kHasOffsets = true;
  using Head = SuperHead;

  static CodeWords file_codes(const std::byte* blocks, std::size_t block) {
    return super_block_nibbles(blocks + kSuperBlockHead, block);
  }
};

void multiply_q4_k(PackedTiles tiles, std::size_t n_columns, PackedTokens x, float* sums) {
  multiply_packed<PackedQ4K>(tiles, n_columns, x, sums);
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(multiply_q4_k);

extern const PackedFormat kPackedQ4_K;
constinit const PackedFormat kPackedQ4_K = {
    .type = TensorType::kQ4_K,
    .tile_bytes = Packing<HWY_NAMESPACE::PackedQ4K>::tile_bytes,
    .pack = Packing<HWY_NAMESPACE::PackedQ4K>::pack,
    .multiply = [](auto... args) { return HWY_DYNAMIC_DISPATCH(multiply_q4_k)(args...); },
};

}  // namespace kinglet::inference::cpu
#endif
