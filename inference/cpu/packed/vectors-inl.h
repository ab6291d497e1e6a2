// The few vector operations the packed kernels are made of, for each SIMD target: Highway where it
// has them, its product of bytes written out. Included once for each SIMD target, inside
// HWY_BEFORE_NAMESPACE.
//
//   Bytes: 4 codes of kRowLanes rows.  Ints, Floats: a number of each of these rows.
#if defined(KINGLET_PACKED_VECTORS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_PACKED_VECTORS_INL
#undef KINGLET_PACKED_VECTORS_INL
#else
#define KINGLET_PACKED_VECTORS_INL
#endif

#include <array>

#include <hwy/highway.h>

#include "inference/cpu/packed/format.h"
#include "inference/quant/blocks.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// How large codes are: what sums of their products with activations fit.
enum class Codes { kNibbles, kFiveBits, kSixBits, kSigned };

#if HWY_TARGET == HWY_SCALAR

constexpr std::size_t kRowLanes = 4;

template <class T, std::size_t n>
struct Several {
  T lanes[n];
};
using Bytes = Several<std::uint8_t, 4 * kRowLanes>;
using Ints = Several<std::int32_t, kRowLanes>;
using Floats = Several<float, kRowLanes>;

template <class Out, class Function>
HWY_INLINE Out make(Function function) {
  Out out;
  for (std::size_t i = 0; i < std::size(out.lanes); ++i)
    out.lanes[i] = function(i);
  return out;
}

HWY_INLINE Bytes load_bytes(const std::byte* from) {
  return make<Bytes>([=](std::size_t i) { return std::to_integer<std::uint8_t>(from[i]); });
}
HWY_INLINE void store_bytes(Bytes v, std::uint8_t* to) {
  std::copy(std::begin(v.lanes), std::end(v.lanes), to);
}
template <int kLeft>
HWY_INLINE Bytes shift_and(Bytes v, std::uint8_t mask) {
  return make<Bytes>([&](std::size_t i) {
    const int shifted = kLeft >= 0 ? v.lanes[i] << (kLeft & 7) : v.lanes[i] >> (-kLeft & 7);
    return static_cast<std::uint8_t>(shifted & mask);
  });
}
HWY_INLINE Bytes bit_or(Bytes a, Bytes b) {
  return make<Bytes>(
      [&](std::size_t i) { return static_cast<std::uint8_t>(a.lanes[i] | b.lanes[i]); });
}
HWY_INLINE Bytes flip_upper_bits(Bytes v) {
  return make<Bytes>([&](std::size_t i) { return static_cast<std::uint8_t>(v.lanes[i] ^ 0x80); });
}
HWY_INLINE Bytes look_up(const std::int8_t* levels, Bytes v) {
  return make<Bytes>([&](std::size_t i) { return static_cast<std::uint8_t>(levels[v.lanes[i]]); });
}

HWY_INLINE Floats splat(float x) {
  return make<Floats>([=](std::size_t) { return x; });
}
HWY_INLINE Floats mul(Floats a, Floats b) {
  return make<Floats>([&](std::size_t i) { return a.lanes[i] * b.lanes[i]; });
}
HWY_INLINE Floats mul_add(Floats a, Floats b, Floats c) {
  return make<Floats>([&](std::size_t i) { return a.lanes[i] * b.lanes[i] + c.lanes[i]; });
}
HWY_INLINE Floats to_floats(Ints v) {
  return make<Floats>([&](std::size_t i) { return static_cast<float>(v.lanes[i]); });
}
HWY_INLINE Floats load_unsigned(const std::uint8_t* from) {
  return make<Floats>([=](std::size_t i) { return static_cast<float>(from[i]); });
}
HWY_INLINE Floats load_signed(const std::int8_t* from) {
  return make<Floats>([=](std::size_t i) { return static_cast<float>(from[i]); });
}
HWY_INLINE void store(Floats v, float* to) {
  for (std::size_t i = 0; i < kRowLanes; ++i)
    to[i] = v.lanes[i];
}

#else

#if HWY_TARGET == HWY_AVX3
constexpr std::size_t kRowLanes = 16;
#elif HWY_TARGET == HWY_AVX2
constexpr std::size_t kRowLanes = 8;
#else
constexpr std::size_t kRowLanes = 4;
#endif
using ByteTag = hn::FixedTag<std::uint8_t, 4 * kRowLanes>;
using SignedTag = hn::RebindToSigned<ByteTag>;
using WordTag = hn::Repartition<std::uint32_t, ByteTag>;
using IntTag = hn::RebindToSigned<WordTag>;
using FloatTag = hn::RebindToFloat<WordTag>;
using Bytes = hn::Vec<ByteTag>;
using Ints = hn::Vec<IntTag>;
using Floats = hn::Vec<FloatTag>;

HWY_INLINE Bytes load_bytes(const std::byte* from) {
  return hn::Load(ByteTag(), reinterpret_cast<const std::uint8_t*>(from));
}
HWY_INLINE void store_bytes(Bytes v, std::uint8_t* to) {
  hn::Store(v, ByteTag(), to);
}
/// (v << kLeft) & mask, or to the right; what crosses bytes must be outside the mask.
template <int kLeft>
HWY_INLINE Bytes shift_and(Bytes v, std::uint8_t mask) {
  const auto words = hn::BitCast(WordTag(), v);
  const auto bits = hn::Set(ByteTag(), mask);
  if constexpr (kLeft > 0) {
    return hn::And(hn::BitCast(ByteTag(), hn::ShiftLeft<kLeft>(words)), bits);
  } else if constexpr (kLeft < 0) {
    return hn::And(hn::BitCast(ByteTag(), hn::ShiftRight<-kLeft>(words)), bits);
  } else {
    return hn::And(v, bits);
  }
}
HWY_INLINE Bytes bit_or(Bytes a, Bytes b) {
  return hn::Or(a, b);
}
/// Bytes plus 128.
HWY_INLINE Bytes flip_upper_bits(Bytes v) {
  return hn::Xor(v, hn::Set(ByteTag(), 0x80));
}
/// levels[v], each v below 16.
HWY_INLINE Bytes look_up(const std::int8_t* levels, Bytes v) {
  const auto table = hn::LoadDup128(ByteTag(), reinterpret_cast<const std::uint8_t*>(levels));
  return hn::TableLookupBytes(table, v);
}

HWY_INLINE Floats splat(float x) {
  return hn::Set(FloatTag(), x);
}
HWY_INLINE Floats mul(Floats a, Floats b) {
  return hn::Mul(a, b);
}
HWY_INLINE Floats mul_add(Floats a, Floats b, Floats c) {
  return hn::MulAdd(a, b, c);
}
HWY_INLINE Floats to_floats(Ints v) {
  return hn::ConvertTo(FloatTag(), v);
}
HWY_INLINE Floats load_unsigned(const std::uint8_t* from) {
  const hn::Rebind<std::uint8_t, IntTag> narrow;
  return hn::ConvertTo(FloatTag(), hn::PromoteTo(IntTag(), hn::LoadU(narrow, from)));
}
HWY_INLINE Floats load_signed(const std::int8_t* from) {
  const hn::Rebind<std::int8_t, IntTag> narrow;
  return hn::ConvertTo(FloatTag(), hn::PromoteTo(IntTag(), hn::LoadU(narrow, from)));
}
HWY_INLINE void store(Floats v, float* to) {
  hn::StoreU(v, FloatTag(), to);
}

/// Four activations, in all lanes.
HWY_INLINE hn::Vec<SignedTag> four(const ByteColumns& x, std::size_t half, std::size_t line) {
  std::int32_t word = 0;
  std::memcpy(&word, x.quants + kByteBlock * half + 4 * line, 4);
  return hn::BitCast(SignedTag(), hn::Set(IntTag(), word));
}

#if HWY_TARGET == HWY_AVX3
HWY_INLINE __m512i pair_products(__m512i w, __m512i x) {
  return _mm512_maddubs_epi16(w, x);
}
HWY_INLINE __m512i signed_pair_products(__m512i w, __m512i x) {
  const __m512i turned = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
  return _mm512_maddubs_epi16(_mm512_abs_epi8(w), turned);
}
#elif HWY_TARGET == HWY_AVX2
HWY_INLINE __m256i pair_products(__m256i w, __m256i x) {
  return _mm256_maddubs_epi16(w, x);
}
HWY_INLINE __m256i signed_pair_products(__m256i w, __m256i x) {
  return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}
#elif HWY_TARGET == HWY_SSE4
HWY_INLINE __m128i pair_products(__m128i w, __m128i x) {
  return _mm_maddubs_epi16(w, x);
}
HWY_INLINE __m128i signed_pair_products(__m128i w, __m128i x) {
  return _mm_maddubs_epi16(_mm_abs_epi8(w), _mm_sign_epi8(x, w));
}
#endif

#endif

constexpr std::uint32_t kParts = kPackedRows / kRowLanes;  // vectors a line takes

/// 32 of them, not 16.
constexpr bool kHasManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;

/// kRowLanes halves.
HWY_INLINE Floats load_halves(const std::byte* from) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  const hn::Rebind<hwy::float16_t, FloatTag> halves;
  return hn::PromoteTo(FloatTag(),
                       hn::LoadU(halves, reinterpret_cast<const hwy::float16_t*>(from)));
#else
  // Without conversion instructions Highway takes infinity for 65536.
  HWY_ALIGN float numbers[kRowLanes];
  for (std::size_t i = 0; i < kRowLanes; ++i)
    numbers[i] = load_half(from + 2 * i);
#if HWY_TARGET == HWY_SCALAR
  return make<Floats>([&](std::size_t i) { return numbers[i]; });
#else
  return hn::Load(FloatTag(), numbers);
#endif
#endif
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
