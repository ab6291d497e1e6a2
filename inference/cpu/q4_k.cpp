// Q4_K weights; layout in inference/quant/q4_k.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"
#include "inference/quant/super_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q4_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q4_k(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  for (std::size_t element = 0; element < n; element += kSuperBlock, blocks += 144) {
    std::uint16_t halves[2];
    std::memcpy(halves, blocks, 4);
    const float d = half_to_float(halves[0]);
    const float d_min = half_to_float(halves[1]);
    const SubBlockScales sub = unpack_scales(blocks + 4);
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 16);
    for (std::size_t s = 0; s < kSubBlocks; s += 2, quants += 32, out += 64) {
      const auto low_scale = hn::Set(floats, d * static_cast<float>(sub.scales[s]));
      const auto low_min = hn::Set(floats, d_min * static_cast<float>(sub.mins[s]));
      const auto high_scale = hn::Set(floats, d * static_cast<float>(sub.scales[s + 1]));
      const auto high_min = hn::Set(floats, d_min * static_cast<float>(sub.mins[s + 1]));
      for (std::size_t i = 0; i < kSubBlock; i += hn::Lanes(floats)) {
        const auto both = hn::PromoteTo(ints, hn::LoadU(bytes, quants + i));
        const auto low = hn::ConvertTo(floats, hn::And(both, low_nibble));
        const auto high = hn::ConvertTo(floats, hn::ShiftRight<4>(both));
        hn::StoreU(hn::MulSub(low, low_scale, low_min), floats, out + i);
        hn::StoreU(hn::MulSub(high, high_scale, high_min), floats, out + i + kSubBlock);
      }
    }
  }
}

// Quants are centered: their products with centered activations then have no common part to cancel.
void unpack_q4_k(const std::byte* blocks, std::size_t n, const Unpacked& out) {
  for (std::size_t element = 0; element < n; element += kSuperBlock, blocks += 144) {
    std::uint16_t halves[2];
    std::memcpy(halves, blocks, 4);
    const float d = half_to_float(halves[0]);
    const float d_min = half_to_float(halves[1]);
    const SubBlockScales sub = unpack_scales(blocks + 4);
    for (std::size_t s = 0; s < kSubBlocks; ++s) {
      const std::size_t at = element + s * kSubBlock;
      const float scale = d * static_cast<float>(sub.scales[s]);
      const float min = d_min * static_cast<float>(sub.mins[s]);
      unpack_scale(scale, kSubBlock, out.scales + at / kScaleElements);
      unpack_offset(8 * scale - min, kSubBlock, out.offsets + at / kOffsetElements);
    }
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 16);
    for (std::size_t i = 0; i < kSuperBlock; i += 2 * kSubBlock) {
      unpack_nibbles(pairs + i / 2, kSubBlock, 8, out.quants + element + i);
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_k);
HWY_EXPORT(unpack_q4_k);

extern const Format kQ4_K;
constinit const Format kQ4_K = {
    .type = TensorType::kQ4_K,
    .dequantize =
        [](const std::byte* blocks, std::size_t n, float* out) {
          HWY_DYNAMIC_DISPATCH(dequantize_q4_k)(blocks, n, out);
        },
    .unpack =
        [](const std::byte* blocks, std::size_t n, const Unpacked& out) {
          HWY_DYNAMIC_DISPATCH(unpack_q4_k)(blocks, n, out);
        },
    .has_offsets = true,
};

}  // namespace kinglet::inference::cpu
#endif
