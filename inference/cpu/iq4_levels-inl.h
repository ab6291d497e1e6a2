// What the kernels of IQ4_NL and IQ4_XS share: 16 bytes of quants to 32 numbers. Included once for
// each SIMD target, inside HWY_BEFORE_NAMESPACE.
#if defined(KINGLET_IQ4_LEVELS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_IQ4_LEVELS_INL
#undef KINGLET_IQ4_LEVELS_INL
#else
#define KINGLET_IQ4_LEVELS_INL
#endif

#include <hwy/highway.h>

#include "inference/cpu/formats.h"
#include "inference/quant/iq4_levels.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// out[i] = level of the i-th low nibble, out[i + 16] of the i-th high one; i = 0..15.
HWY_INLINE void unpack_iq4_levels(const std::uint8_t* quants, std::int8_t* out) {
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t i = 0; i < 16; ++i) {
    out[i] = kIq4Levels[quants[i] & 0xf];
    out[i + 16] = kIq4Levels[quants[i] >> 4];
  }
#else
  const hn::FixedTag<std::uint8_t, 16> bytes;
  const hn::FixedTag<std::int8_t, 16> signed_bytes;
  const auto levels = hn::LoadU(signed_bytes, kIq4Levels.data());
  const auto pairs = hn::LoadU(bytes, quants);
  const auto low = hn::BitCast(signed_bytes, hn::And(pairs, hn::Set(bytes, 0xf)));
  const auto high = hn::BitCast(signed_bytes, hn::ShiftRight<4>(pairs));
  hn::StoreU(hn::TableLookupBytes(levels, low), signed_bytes, out);
  hn::StoreU(hn::TableLookupBytes(levels, high), signed_bytes, out + 16);
#endif
}

/// The same levels times a factor.
HWY_INLINE void dequantize_iq4_levels(const std::uint8_t* quants, float factor, float* out) {
  HWY_ALIGN std::int8_t numbers[32];
  unpack_iq4_levels(quants, numbers);
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::int8_t, decltype(floats)> some_bytes;
  const auto scale = hn::Set(floats, factor);
  for (std::size_t i = 0; i < 32; i += hn::Lanes(floats)) {
    const auto wide = hn::PromoteTo(ints, hn::LoadU(some_bytes, numbers + i));
    hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, wide)), floats, out + i);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
