// Q5_K weights; layout in inference/quant/q5_k.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"
#include "inference/quant/super_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q5_k.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q5_k(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  const auto sixteen = hn::Set(ints, 16);
  for (std::size_t element = 0; element < n; element += kSuperBlock, blocks += 176) {
    std::uint16_t halves[2];
    std::memcpy(halves, blocks, 4);
    const float d = half_to_float(halves[0]);
    const float d_min = half_to_float(halves[1]);
    const SubBlockScales sub = unpack_scales(blocks + 4);
    const auto* fifths = reinterpret_cast<const std::uint8_t*>(blocks + 16);
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 48);
    for (std::size_t s = 0; s < kSubBlocks; s += 2, quants += 32, out += 64) {
      const auto low_scale = hn::Set(floats, d * static_cast<float>(sub.scales[s]));
      const auto low_min = hn::Set(floats, d_min * static_cast<float>(sub.mins[s]));
      const auto high_scale = hn::Set(floats, d * static_cast<float>(sub.scales[s + 1]));
      const auto high_min = hn::Set(floats, d_min * static_cast<float>(sub.mins[s + 1]));
      for (std::size_t i = 0; i < kSubBlock; i += hn::Lanes(floats)) {
        const auto both = hn::PromoteTo(ints, hn::LoadU(bytes, quants + i));
        // Bits s and s + 1, brought to bits 4 and 5.
        const auto upper = hn::PromoteTo(ints, hn::LoadU(bytes, fifths + i));
        const auto two = hn::ShiftRightSame(hn::ShiftLeft<4>(upper), static_cast<int>(s));
        const auto low = hn::Or(hn::And(both, low_nibble), hn::And(two, sixteen));
        const auto high = hn::Or(hn::ShiftRight<4>(both), hn::And(hn::ShiftRight<1>(two), sixteen));
        hn::StoreU(hn::MulSub(hn::ConvertTo(floats, low), low_scale, low_min), floats, out + i);
        hn::StoreU(hn::MulSub(hn::ConvertTo(floats, high), high_scale, high_min),
                   floats,
                   out + i + kSubBlock);
      }
    }
  }
}

// Quants are centered: their products with centered activations then have no common part to cancel.
void unpack_q5_k(const std::byte* blocks, std::size_t n, const Unpacked& out) {
  for (std::size_t element = 0; element < n; element += kSuperBlock, blocks += 176) {
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
      unpack_offset(16 * scale - min, kSubBlock, out.offsets + at / kOffsetElements);
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(blocks);
    for (std::size_t s = 0; s < kSubBlocks; ++s) {
      std::int8_t* quants = out.quants + element + s * kSubBlock;
      if (s % 2 == 0) unpack_nibbles(bytes + 48 + s / 2 * kSubBlock, kSubBlock, 16, quants);
      for (std::size_t i = 0; i < kSubBlock; ++i) {
        quants[i] = static_cast<std::int8_t>(quants[i] + ((bytes[16 + i] >> s & 1) << 4));
      }
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q5_k);
HWY_EXPORT(unpack_q5_k);

extern const Format kQ5_K;
constinit const Format kQ5_K = {
    .type = TensorType::kQ5_K,
    .dequantize =
        [](const std::byte* blocks, std::size_t n, float* out) {
          HWY_DYNAMIC_DISPATCH(dequantize_q5_k)(blocks, n, out);
        },
    .unpack =
        [](const std::byte* blocks, std::size_t n, const Unpacked& out) {
          HWY_DYNAMIC_DISPATCH(unpack_q5_k)(blocks, n, out);
        },
    .has_offsets = true,
};

}  // namespace kinglet::inference::cpu
#endif
