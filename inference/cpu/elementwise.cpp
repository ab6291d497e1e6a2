#include "inference/cpu/elementwise.h"

#include <cmath>

#include "inference/cpu/formats.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, which it needs.
#include <hwy/contrib/math/math-inl.h>
#include "inference/cpu/gates-inl.h"

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

/// term(tag, i) of all n elements, summed: four vectors at a time, so that no sum waits for itself.
template <class Term>
HWY_INLINE float sum_of(std::size_t n, const Term& term) {
  const Floats floats;
  const std::size_t lanes = hn::Lanes(floats);
  hn::Vec<Floats> sums[4] = {
      hn::Zero(floats), hn::Zero(floats), hn::Zero(floats), hn::Zero(floats)};
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j)
      sums[j] = hn::Add(sums[j], term(floats, i + j * lanes));
  }
  for (; i + lanes <= n; i += lanes)
    sums[0] = hn::Add(sums[0], term(floats, i));
  const auto all = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  float sum = hn::GetLane(hn::SumOfLanes(floats, all));
  for (; i < n; ++i)
    sum += hn::GetLane(term(OneFloat(), i));
  return sum;
}

void rms_norm_all(const float* in, const float* weight, std::size_t n, float epsilon, float* out) {
  const float sum = sum_of(n, [=](auto tag, std::size_t at) {
    const auto x = hn::LoadU(tag, in + at);
    return hn::Mul(x, x);
  });
  const float scale = 1.0F / std::sqrt(sum / static_cast<float>(n) + epsilon);
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto scaled = hn::Mul(hn::LoadU(tag, in + at), hn::Set(tag, scale));
    hn::StoreU(hn::Mul(scaled, hn::LoadU(tag, weight + at)), tag, out + at);
  });
}

/// Two passes: the sum of squares less the squared mean would cancel.
void layer_norm_all(const float* in,
                    const float* weight,
                    const float* bias,
                    std::size_t n,
                    float epsilon,
                    float* out) {
  const auto count = static_cast<float>(n);
  const float mean =
      sum_of(n, [=](auto tag, std::size_t at) { return hn::LoadU(tag, in + at); }) / count;
  const float variance = sum_of(n,
                                [=](auto tag, std::size_t at) {
                                  const auto x =
                                      hn::Sub(hn::LoadU(tag, in + at), hn::Set(tag, mean));
                                  return hn::Mul(x, x);
                                }) /
                         count;
  const float scale = 1.0F / std::sqrt(variance + epsilon);
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto centered = hn::Sub(hn::LoadU(tag, in + at), hn::Set(tag, mean));
    const auto scaled =
        hn::Mul(hn::Mul(centered, hn::Set(tag, scale)), hn::LoadU(tag, weight + at));
    const auto moved = bias == nullptr ? scaled : hn::Add(scaled, hn::LoadU(tag, bias + at));
    hn::StoreU(moved, tag, out + at);
  });
}

/// a and b turned by an angle.
template <class V>
HWY_INLINE void turn(V cosine, V sine, V& a, V& b) {
  const V turned = hn::MulSub(a, cosine, hn::Mul(b, sine));
  b = hn::MulAdd(a, sine, hn::Mul(b, cosine));
  a = turned;
}

void rope_neox_all(float* heads,
                   std::uint32_t n_heads,
                   std::uint32_t head_dim,
                   std::uint32_t n_pairs,
                   const float* cos_sin) {
  for_vectors(n_pairs, [=](auto tag, std::size_t at) {
    using V = hn::Vec<decltype(tag)>;
    V cosine;
    V sine;
    hn::LoadInterleaved2(tag, cos_sin + 2 * at, cosine, sine);
    for (std::uint32_t head = 0; head < n_heads; ++head) {
      float* const x = heads + std::size_t{head} * head_dim + at;
      V a = hn::LoadU(tag, x);
      V b = hn::LoadU(tag, x + n_pairs);
      turn(cosine, sine, a, b);
      hn::StoreU(a, tag, x);
      hn::StoreU(b, tag, x + n_pairs);
    }
  });
}

void rope_interleaved_all(float* heads,
                          std::uint32_t n_heads,
                          std::uint32_t head_dim,
                          std::uint32_t n_pairs,
                          const float* cos_sin) {
  for_vectors(n_pairs, [=](auto tag, std::size_t at) {
    using V = hn::Vec<decltype(tag)>;
    V cosine;
    V sine;
    hn::LoadInterleaved2(tag, cos_sin + 2 * at, cosine, sine);
    for (std::uint32_t head = 0; head < n_heads; ++head) {
      float* const x = heads + std::size_t{head} * head_dim + 2 * at;
      V a;
      V b;
      hn::LoadInterleaved2(tag, x, a, b);
      turn(cosine, sine, a, b);
      hn::StoreInterleaved2(a, b, tag, x);
    }
  });
}

void swi_glu_all(const float* gate, const float* up, std::size_t n, float* out) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto g = hn::LoadU(tag, gate + at);
    hn::StoreU(hn::Mul(silu_of(tag, g), hn::LoadU(tag, up + at)), tag, out + at);
  });
}

void ge_glu_all(const float* gate, const float* up, std::size_t n, float* out) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto g = gelu_of(tag, hn::LoadU(tag, gate + at));
    hn::StoreU(hn::Mul(g, hn::LoadU(tag, up + at)), tag, out + at);
  });
}

void gelu_all(float* x, std::size_t n) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    hn::StoreU(gelu_of(tag, hn::LoadU(tag, x + at)), tag, x + at);
  });
}

void scale_all(float* x, std::size_t n, float factor) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    hn::StoreU(hn::Mul(hn::LoadU(tag, x + at), hn::Set(tag, factor)), tag, x + at);
  });
}

void soft_cap_all(float* x, std::size_t n, float cap) {
  for_vectors(n, [=](auto tag, std::size_t at) {
    const auto limit = hn::Set(tag, cap);
    const auto bent = hn::Tanh(tag, hn::Div(hn::LoadU(tag, x + at), limit));
    hn::StoreU(hn::Mul(limit, bent), tag, x + at);
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
HWY_EXPORT(layer_norm_all);
HWY_EXPORT(rope_neox_all);
HWY_EXPORT(rope_interleaved_all);
HWY_EXPORT(swi_glu_all);
HWY_EXPORT(ge_glu_all);
HWY_EXPORT(gelu_all);
HWY_EXPORT(add_all);
HWY_EXPORT(scale_all);
HWY_EXPORT(soft_cap_all);

void rms_norm(const float* in, const float* weight, std::size_t n, float epsilon, float* out) {
  HWY_DYNAMIC_DISPATCH(rms_norm_all)(in, weight, n, epsilon, out);
}

void layer_norm(const float* in,
                const float* weight,
                const float* bias,
                std::size_t n,
                float epsilon,
                float* out) {
  HWY_DYNAMIC_DISPATCH(layer_norm_all)(in, weight, bias, n, epsilon, out);
}

void rope_neox(float* heads,
               std::uint32_t n_heads,
               std::uint32_t head_dim,
               std::uint32_t n_pairs,
               const float* cos_sin) {
  HWY_DYNAMIC_DISPATCH(rope_neox_all)(heads, n_heads, head_dim, n_pairs, cos_sin);
}

void rope_interleaved(float* heads,
                      std::uint32_t n_heads,
                      std::uint32_t head_dim,
                      std::uint32_t n_pairs,
                      const float* cos_sin) {
  HWY_DYNAMIC_DISPATCH(rope_interleaved_all)(heads, n_heads, head_dim, n_pairs, cos_sin);
}

void swi_glu(const float* gate, const float* up, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(swi_glu_all)(gate, up, n, out);
}

void ge_glu(const float* gate, const float* up, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(ge_glu_all)(gate, up, n, out);
}

void gelu(float* x, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(gelu_all)(x, n);
}

void add(const float* in, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(add_all)(in, n, out);
}

void scale(float* x, std::size_t n, float factor) {
  HWY_DYNAMIC_DISPATCH(scale_all)(x, n, factor);
}

void soft_cap(float* x, std::size_t n, float cap) {
  HWY_DYNAMIC_DISPATCH(soft_cap_all)(x, n, cap);
}

}  // namespace kinglet::inference::cpu
#endif
