// Q4_0 weights; layout in inference/quant/q4_0.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q4_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q4_0(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  const auto eight = hn::Set(ints, 8);
  for (std::size_t element = 0; element < n; element += 32, blocks += 18, out += 32) {
    std::uint16_t half = 0;
    std::memcpy(&half, blocks, 2);
    const auto scale = hn::Set(floats, half_to_float(half));
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 2);
    for (std::size_t i = 0; i < 16; i += hn::Lanes(floats)) {
      const auto both = hn::PromoteTo(ints, hn::LoadU(bytes, quants + i));
      const auto low = hn::Sub(hn::And(both, low_nibble), eight);
      const auto high = hn::Sub(hn::ShiftRight<4>(both), eight);
      hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, low)), floats, out + i);
      hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, high)), floats, out + i + 16);
    }
  }
}

void unpack_q4_0(const std::byte* blocks, std::size_t n, const Unpacked& out) {
  for (std::size_t element = 0; element < n; element += 32, blocks += 18) {
    std::uint16_t half = 0;
    std::memcpy(&half, blocks, 2);
    unpack_scale(half_to_float(half), 32, out.scales + element / kScaleElements);
    const auto* pairs = reinterpret_cast<const std::uint8_t*>(blocks + 2);
    unpack_nibbles(pairs, 16, 8, out.quants + element);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q4_0);
HWY_EXPORT(unpack_q4_0);

extern const Format kQ4_0;
constinit const Format kQ4_0 = {
    .type = TensorType::kQ4_0,
    .dequantize =
        [](const std::byte* blocks, std::size_t n, float* out) {
          HWY_DYNAMIC_DISPATCH(dequantize_q4_0)(blocks, n, out);
        },
    .unpack =
        [](const std::byte* blocks, std::size_t n, const Unpacked& out) {
          HWY_DYNAMIC_DISPATCH(unpack_q4_0)(blocks, n, out);
        },
};

}  // namespace kinglet::inference::cpu
#endif
