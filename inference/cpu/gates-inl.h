// Activation functions on vectors, for the files that end with them. Included once per SIMD target.
#if defined(KINGLET_GATES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_GATES_INL
#undef KINGLET_GATES_INL
#else
#define KINGLET_GATES_INL
#endif

#include <hwy/highway.h>
// After highway.h, which it needs.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {

/// x / (1 + exp(exponent)).
template <class Tag, class V>
HWY_INLINE V gated(Tag tag, V x, V exponent) {
  namespace hn = hwy::HWY_NAMESPACE;
  // Beyond 88 Exp leaves its range; what is that far below 0 is 0 anyway.
  const V bounded = hn::Min(exponent, hn::Set(tag, 88.0F));
  return hn::Div(x, hn::Add(hn::Set(tag, 1.0F), hn::Exp(tag, bounded)));
}

/// x / (1 + exp(-x)).
template <class Tag, class V>
HWY_INLINE V silu_of(Tag tag, V x) {
  return gated(tag, x, hwy::HWY_NAMESPACE::Neg(x));
}

/// x/2 * (1 + tanh(u)) = x / (1 + exp(-2u)), which does not cancel; u = sqrt(2/pi) (x + 0.044715
/// x^3).
template <class Tag, class V>
HWY_INLINE V gelu_of(Tag tag, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V cubic = hn::Mul(hn::Mul(x, x), hn::Mul(x, hn::Set(tag, 0.044715F)));
  const V u = hn::Add(x, cubic);
  return gated(tag, x, hn::Mul(u, hn::Set(tag, -1.5957691216057308F)));
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
