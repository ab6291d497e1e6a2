#include "inference/cpu/elementwise.h"

#include <cmath>

#include "inference/cpu/formats.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, which it needs.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPadding>;
using OneFloat = hn::CappedTag<float, 1>;

/// Calls step(tag, i) for whole vectors, then for single elements.
template <class Step>
HWY_INLINE void for_vectors(std::size_t n, const Step& step) {
  const std::size_t lanes = hn::Lanes(Floats());
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    step(Floats(), i);
  for (; i < n; ++i)
    step(OneFloat(), i);
}

void rms_norm_all(const float* in, const float* weight, std::size_t n, float epsilon, float* out) {
  const Floats floats;
  const std::size_t lanes = hn::Lanes(floats);
  auto squares = hn::Zero(floats);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto x = hn::LoadU(floats, in + i);
    squares = hn::MulAdd(x, x, squares);
  }
  float sum = hn::GetLane(hn::SumOfLanes(floats, squares));
  for (; i < n; ++i)
    sum += in[i] * in[i];
  const float scale = 1.0F / std::sqrt(sum / static_cast<float>(n) + epsilon);
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto scaled = hn::Mul(hn::LoadU(tag, in + at), hn::Set(tag, scale));
    hn::StoreU(hn::Mul(scaled, hn::LoadU(tag, weight + at)), tag, out + at);
  });
}

void swi_glu_all(const float* gate, const float* up, std::size_t n, float* out) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto g = hn::LoadU(tag, gate + at);
    // Beyond 88 Exp leaves its range; a gate that far below 0 is 0 anyway.
    const auto exponent = hn::Min(hn::Neg(g), hn::Set(tag, 88.0F));
    const auto divisor = hn::Add(hn::Set(tag, 1.0F), hn::Exp(tag, exponent));
    hn::StoreU(hn::Mul(hn::Div(g, divisor), hn::LoadU(tag, up + at)), tag, out + at);
  });
}

void add_all(const float* in, std::size_t n, float* out) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    hn::StoreU(hn::Add(hn::LoadU(tag, out + at), hn::LoadU(tag, in + at)), tag, out + at);
  });
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(rms_norm_all);
HWY_EXPORT(swi_glu_all);
HWY_EXPORT(add_all);

void rms_norm(const float* in, const float* weight, std::size_t n, float epsilon, float* out) {
  HWY_DYNAMIC_DISPATCH(rms_norm_all)(in, weight, n, epsilon, out);
}

void rope_neox(float* heads,
               std::uint32_t n_heads,
               std::uint32_t head_dim,
               std::uint32_t n_pairs,
               const float* cos_sin) {
  for (std::uint32_t head = 0; head < n_heads; ++head, heads += head_dim) {
    for (std::size_t i = 0; i < n_pairs; ++i) {
      const float cosine = cos_sin[2 * i];
      const float sine = cos_sin[2 * i + 1];
      const float a = heads[i];
      const float b = heads[i + n_pairs];
      heads[i] = a * cosine - b * sine;
      heads[i + n_pairs] = a * sine + b * cosine;
    }
  }
}

void swi_glu(const float* gate, const float* up, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(swi_glu_all)(gate, up, n, out);
}

void add(const float* in, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(add_all)(in, n, out);
}

}  // namespace kinglet::inference::cpu
#endif
