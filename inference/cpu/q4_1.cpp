// Q4_1 weights; layout in inference/quant/q4_1.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q4_1.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q4_1(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  for (std::size_t element = 0; element < n; element += 32, blocks += 20, out += 32) {
    std::uint16_t halves[2];
    std::memcpy(halves, blocks, 4);
    const auto scale = hn::Set(floats, half_to_float(halves[0]));
    const auto min = hn::Set(floats, half_to_float(halves[1]));
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 4);
    for (std::size_t i = 0; i < 16; i += hn::Lanes(floats)) {
      const auto both = hn::PromoteTo(ints, hn::LoadU(bytes, quants + i));
      const auto low = hn::ConvertTo(floats, hn::And(both, low_nibble));
      const auto high = hn::ConvertTo(floats, hn::ShiftRight<4>(both));
      hn::StoreU(hn::MulAdd(low, scale, min), floats, out + i);
      hn::StoreU(hn::MulAdd(high, scale, min), floats, out + i + 16);
    }
  }
}

// Quants are centered: their products with centered activations then have no common part to cancel.
void unpack_q4_1(const std::byte* blocks, std::size_t n, const Unpacked& out) {
  for (std::size_t element = 0; element < n; element += 32, blocks += 20) {
    std::uint16_t halves[2];
    std::memcpy(halves, blocks, 4);
    const float scale = half_to_float(halves[0]);
    unpack_scale(scale, 32, out.scales + element / kScaleElements);
    unpack_offset(
        half_to_float(halves[1]) + 8 * scale, 32, out.offsets + element / kOffsetElements);
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 4);
    unpack_nibbles(pairs, 16, 8, out.quants + element);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_1);
HWY_EXPORT(unpack_q4_1);

extern const Format kQ4_1;
constinit const Format kQ4_1 = {
    .type = TensorType::kQ4_1,
    .dequantize =
        [](const std::byte* blocks, std::size_t n, float* out) {
          HWY_DYNAMIC_DISPATCH(dequantize_q4_1)(blocks, n, out);
        },
    .unpack =
        [](const std::byte* blocks, std::size_t n, const Unpacked& out) {
          HWY_DYNAMIC_DISPATCH(unpack_q4_1)(blocks, n, out);
        },
    .has_offsets = true,
};

}  // namespace kinglet::inference::cpu
#endif
