// What the formats' unpack functions share: integers out of bytes of several. Included once for
// each SIMD target, inside HWY_BEFORE_NAMESPACE.
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

// Plain loops: the compiler knows the target and how long they are.

/// A scale for n elements, and for formats that have them an offset.
HWY_INLINE void unpack_scale(float scale, std::size_t n, float* HWY_RESTRICT scales) {
  for (std::size_t i = 0; i < n / kScaleElements; ++i)
    scales[i] = scale;
}
HWY_INLINE void unpack_offset(float offset, std::size_t n, float* HWY_RESTRICT offsets) {
  for (std::size_t i = 0; i < n / kOffsetElements; ++i)
    offsets[i] = offset;
}

/// n bytes of two integers each: out[i] is the low nibble of byte i, out[i + n] the high one, both
/// less `zero`.
HWY_INLINE void unpack_nibbles(const std::uint8_t* HWY_RESTRICT pairs,
                               std::size_t n,
                               int zero,
                               std::int8_t* HWY_RESTRICT out) {
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<std::int8_t>((pairs[i] & 0xf) - zero);
    out[i + n] = static_cast<std::int8_t>((pairs[i] >> 4) - zero);
  }
}

/// Adds 16 to each of 32 integers whose bit is set.
HWY_INLINE void add_fifth_bits(std::uint32_t bits, std::int8_t* HWY_RESTRICT out) {
  for (std::uint32_t i = 0; i < 32; ++i)
    out[i] = static_cast<std::int8_t>(out[i] + static_cast<int>((bits >> i & 1) << 4));
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
