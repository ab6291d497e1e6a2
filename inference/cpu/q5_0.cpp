// Q5_0 weights; layout in inference/quant/q5_0.cpp.
#include <cstdint>
#include <cstring>

#include "inference/cpu/formats.h"
#include "inference/quant/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/q5_0.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "inference/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void dequantize_q5_0(const std::byte* blocks, std::size_t n, float* out) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  const auto sixteen = hn::Set(ints, 16);
  const auto lanes = hn::Iota(ints, 0);
  const auto lane_bits = hn::Shl(hn::Set(ints, 1), lanes);
  for (std::size_t element = 0; element < n; element += 32, blocks += 22, out += 32) {
    std::uint16_t half = 0;
    std::uint32_t fifths = 0;
    std::memcpy(&half, blocks, 2);
    std::memcpy(&fifths, blocks + 2, 4);
    const auto scale = hn::Set(floats, half_to_float(half));
    const auto* quants = reinterpret_cast<const std::uint8_t*>(blocks + 6);
    // Sixteen in the lanes whose bit is set, the first of them that of element i.
    const auto fifth = [&](std::size_t i) {
      const auto bits = hn::Set(ints, static_cast<std::int32_t>(fifths >> i & 0xffff));
      return hn::IfThenElseZero(hn::TestBit(bits, lane_bits), sixteen);
    };
    for (std::size_t i = 0; i < 16; i += hn::Lanes(floats)) {
      const auto both = hn::PromoteTo(ints, hn::LoadU(bytes, quants + i));
      const auto low = hn::Or(hn::And(both, low_nibble), fifth(i));
      const auto high = hn::Or(hn::ShiftRight<4>(both), fifth(i + 16));
      hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, hn::Sub(low, sixteen))), floats, out + i);
      hn::StoreU(
          hn::Mul(scale, hn::ConvertTo(floats, hn::Sub(high, sixteen))), floats, out + i + 16);
    }
  }
}

void unpack_q5_0(const std::byte* blocks, std::size_t n, const Unpacked& out) {
  for (std::size_t element = 0; element < n; element += 32, blocks += 22) {
    std::uint16_t half = 0;
    std::uint32_t fifths = 0;
    std::memcpy(&half, blocks, 2);
    std::memcpy(&fifths, blocks + 2, 4);
    unpack_scale(half_to_float(half), 32, out.scales + element / kScaleElements);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(blocks);
    unpack_nibbles(bytes + 6, 16, 16, out.quants + element);
    add_fifth_bits(fifths, out.quants + element);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(dequantize_q5_0);
HWY_EXPORT(unpack_q5_0);

extern const Format kQ5_0;
constinit const Format kQ5_0 = {
    .type = TensorType::kQ5_0,
    .dequantize =
        [](const std::byte* blocks, std::size_t n, float* out) {
          HWY_DYNAMIC_DISPATCH(dequantize_q5_0)(blocks, n, out);
        },
    .unpack =
        [](const std::byte* blocks, std::size_t n, const Unpacked& out) {
          HWY_DYNAMIC_DISPATCH(unpack_q5_0)(blocks, n, out);
        },
};

}  // namespace kinglet::inference::cpu
#endif
