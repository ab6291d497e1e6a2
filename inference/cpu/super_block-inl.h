// What the kernels of Q4_K and Q5_K share: the sub-blocks' scales and minima. Included once for
// each SIMD target, inside HWY_BEFORE_NAMESPACE.
#if defined(KINGLET_SUPER_BLOCK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_SUPER_BLOCK_INL
#undef KINGLET_SUPER_BLOCK_INL
#else
#define KINGLET_SUPER_BLOCK_INL
#endif

#include <hwy/highway.h>

#include "inference/cpu/formats.h"
#include "inference/cpu/unpack-inl.h"
#include "inference/quant/super_block.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Numbers of one super-block. Sub-blocks come in pairs, their nibbles in 32 bytes each;
/// quants(s, i, nibbles) makes quants of those of sub-block s from its element i on.
template <class Quants>
HWY_INLINE void dequantize_super_block(const std::byte* block,
                                       const std::uint8_t* pairs,
                                       float* out,
                                       Quants quants) {
  const hn::CappedTag<float, kPadding> floats;
  const SubBlocks sub_blocks = load_sub_blocks(block);
  for (std::size_t s = 0; s < kSubBlocks; s += 2, pairs += kSubBlock, out += 2 * kSubBlock) {
    const auto low_scale = hn::Set(floats, sub_blocks.scales[s]);
    const auto low_min = hn::Set(floats, sub_blocks.mins[s]);
    const auto high_scale = hn::Set(floats, sub_blocks.scales[s + 1]);
    const auto high_min = hn::Set(floats, sub_blocks.mins[s + 1]);
    for_nibbles(pairs, kSubBlock, [&](std::size_t i, auto low_nibbles, auto high_nibbles) {
      const auto low = hn::ConvertTo(floats, quants(s, i, low_nibbles));
      const auto high = hn::ConvertTo(floats, quants(s + 1, i, high_nibbles));
      hn::StoreU(hn::MulSub(low, low_scale, low_min), floats, out + i);
      hn::StoreU(hn::MulSub(high, high_scale, high_min), floats, out + i + kSubBlock);
    });
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
