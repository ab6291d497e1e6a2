// What the formats' kernels share: integers out of bytes of several. Included once for each SIMD
// target, inside HWY_BEFORE_NAMESPACE.
#if defined(KINGLET_UNPACK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_UNPACK_INL
#undef KINGLET_UNPACK_INL
#else
#define KINGLET_UNPACK_INL
#endif

#include <hwy/highway.h>

#include "inference/cpu/formats.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// each(i, low, high) for vectors of the low and the high nibbles, as 32-bit integers, of n bytes
/// from byte i on.
template <class Each>
HWY_INLINE void for_nibbles(const std::uint8_t* pairs, std::size_t n, Each each) {
  const hn::CappedTag<float, kPadding> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> ints;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  const auto low_nibble = hn::Set(ints, 0xf);
  for (std::size_t i = 0; i < n; i += hn::Lanes(floats)) {
    const auto both = hn::PromoteTo(ints, hn::LoadU(bytes, pairs + i));
    each(i, hn::And(both, low_nibble), hn::ShiftRight<4>(both));
  }
}

/// Sixteen in the lanes whose bit is set, the first of them that of bit i.
HWY_INLINE auto fifth_bits(std::uint32_t bits, std::size_t i) {
  const hn::Rebind<std::int32_t, hn::CappedTag<float, kPadding>> ints;
  const auto lane_bits = hn::Shl(hn::Set(ints, 1), hn::Iota(ints, 0));
  const auto some = hn::Set(ints, static_cast<std::int32_t>(bits >> i & 0xffff));
  return hn::IfThenElseZero(hn::TestBit(some, lane_bits), hn::Set(ints, 16));
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
