// Products of queries with a page's keys, and of their weights with its values, in registers.
// Included once for each SIMD target, inside HWY_BEFORE_NAMESPACE.
#if defined(KINGLET_ATTENTION_PRODUCTS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef KINGLET_ATTENTION_PRODUCTS_INL
#undef KINGLET_ATTENTION_PRODUCTS_INL
#else
#define KINGLET_ATTENTION_PRODUCTS_INL
#endif

#include <algorithm>

#include <hwy/highway.h>

#include "inference/cpu/attention_page-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// What fits the registers, with two vectors each: 16 on x86 before AVX-512, 32 elsewhere.
constexpr std::uint32_t kMostRowsTogether = HWY_TARGET <= HWY_AVX3 || !HWY_ARCH_X86 ? 12 : 6;

// So few that a whole block's dimensions of all of them fit there, too.
constexpr std::uint32_t kFewRows = kLanes == 16 ? 4 : kLanes == 8 ? 3 : 1;

/// Slots [begin, end) of a page; none where begin >= end.
struct Slots {
  std::uint32_t begin;
  std::uint32_t end;
  bool empty() const { return begin >= end; }
};

/// sums (n, n_vectors) += factors (n) * vectors (n_vectors); factors are `stride` apart.
template <std::uint32_t n, std::size_t n_vectors>
HWY_INLINE void add_products(const float* HWY_RESTRICT factors,
                             std::size_t stride,
                             const Vector* HWY_RESTRICT vectors,
                             Vector* HWY_RESTRICT sums) {
#pragma GCC unroll 12
  for (std::uint32_t i = 0; i < n; ++i) {
    const Vector factor = hn::Set(Floats(), factors[i * stride]);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < n_vectors; ++v)
      sums[i * n_vectors + v] = hn::MulAdd(factor, vectors[v], sums[i * n_vectors + v]);
  }
}

// Scores: scores (n, kPageTokens) = q k^T for n rows of queries; q (head_dim, q_stride), rows side
// by side.

/// Vectors of positions at a time.
template <std::uint32_t n>
constexpr std::size_t kScoreVectors = std::min<std::size_t>(kPageTokens / kLanes, n <= 2 ? 4 : 2);

template <std::uint32_t n, class Keys>
HWY_INLINE void score_plain(const float* HWY_RESTRICT q,
                            std::size_t q_stride,
                            const Keys& keys,
                            std::uint32_t head_dim,
                            float* HWY_RESTRICT scores) {
  constexpr std::size_t kVectors = kScoreVectors<n>;
  for (std::size_t slot = 0; slot < kPageTokens; slot += kVectors * kLanes) {
    Vector sums[n * kVectors];
#pragma GCC unroll 32
    for (auto& sum : sums)
      sum = hn::Zero(Floats());
    for (std::size_t d = 0; d < head_dim; ++d) {
      if (slot == 0) keys.prefetch(d);
      Vector key[kVectors];
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v)
        key[v] = keys.load(d, slot + v * kLanes);
      add_products<n, kVectors>(q + d * q_stride, 1, key, sums);
    }
#pragma GCC unroll 32
    for (std::size_t j = 0; j < n * kVectors; ++j) {
      float* out = scores + j / kVectors * kPageTokens + slot + j % kVectors * kLanes;
      hn::Store(sums[j], Floats(), out);
    }
  }
}

/// Of n_blocks blocks, whose dimensions begin at d.
template <std::uint32_t n, std::size_t n_blocks, class Keys>
HWY_INLINE void score_some_blocks(const float* HWY_RESTRICT q,
                                  std::size_t q_stride,
                                  const Keys& keys,
                                  std::size_t d,
                                  float* HWY_RESTRICT scores) {
  constexpr std::size_t kVectors = kScoreVectors<n>;
  for (std::size_t slot = 0; slot < kPageTokens; slot += kVectors * kLanes) {
    Vector sums[n_blocks][n * kVectors];
#pragma GCC unroll 2
    for (auto& block : sums) {
#pragma GCC unroll 32
      for (auto& sum : block)
        sum = hn::Zero(Floats());
    }
    for (std::size_t pair = d; pair < d + kKvBlock; pair += 2) {
#pragma GCC unroll 2
      for (std::size_t b = 0; b < n_blocks; ++b) {
        const std::size_t at = pair + b * kKvBlock;
        if (slot == 0) keys.prefetch(at);
        Vector even[kVectors];
        Vector odd[kVectors];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v)
          keys.load_pair(at, slot + v * kLanes, even[v], odd[v]);
        add_products<n, kVectors>(q + at * q_stride, 1, even, sums[b]);
        add_products<n, kVectors>(q + (at + 1) * q_stride, 1, odd, sums[b]);
      }
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = slot + v * kLanes;
#pragma GCC unroll 12
      for (std::uint32_t i = 0; i < n; ++i) {
        float* out = scores + std::size_t{i} * kPageTokens + at;
        Vector score = d == 0 ? hn::Zero(Floats()) : hn::Load(Floats(), out);
#pragma GCC unroll 2
        for (std::size_t b = 0; b < n_blocks; ++b)
          score = hn::MulAdd(sums[b][i * kVectors + v], keys.scales(d + b * kKvBlock, at), score);
        hn::Store(score, Floats(), out);
      }
    }
  }
}

/// A few rows take two blocks together, else each sum would wait for its last product.
template <std::uint32_t n>
constexpr std::size_t kBlocksTogether = std::size_t{n} * kKvBlock <= 4 * kLanes ? 2 : 1;

template <std::uint32_t n, class Keys>
HWY_INLINE void score_blocks(const float* HWY_RESTRICT q,
                             std::size_t q_stride,
                             const Keys& keys,
                             std::uint32_t head_dim,
                             float* HWY_RESTRICT scores) {
  constexpr std::size_t kStep = kBlocksTogether<n> * kKvBlock;
  std::size_t d = 0;
  for (; d + kStep < head_dim + kKvBlock; d += kStep)
    score_some_blocks<n, kBlocksTogether<n>>(q, q_stride, keys, d, scores);
  for (; d < head_dim; d += kKvBlock)
    score_some_blocks<n, 1>(q, q_stride, keys, d, scores);
}

// Values: rows (n, row_stride) += weights (n, kPageTokens) * values, of the page's slots.

/// n_vectors vectors of dimensions, from d on.
template <std::uint32_t n, std::size_t n_vectors, class Values>
HWY_INLINE void add_vectors(const float* HWY_RESTRICT weights,
                            const Values& values,
                            Slots slots,
                            std::size_t d,
                            float* HWY_RESTRICT rows,
                            std::size_t row_stride) {
  Vector sums[n * n_vectors];
#pragma GCC unroll 32
  for (std::size_t j = 0; j < n * n_vectors; ++j)
    sums[j] = hn::Load(Floats(), rows + j / n_vectors * row_stride + d + j % n_vectors * kLanes);
  for (std::size_t slot = slots.begin; slot < slots.end; ++slot) {
    values.template prefetch<n_vectors>(slot, d);
    Vector value[n_vectors];
    values.template load<n_vectors>(slot, d, value);
    add_products<n, n_vectors>(weights + slot, kPageTokens, value, sums);
  }
#pragma GCC unroll 32
  for (std::size_t j = 0; j < n * n_vectors; ++j)
    hn::Store(sums[j], Floats(), rows + j / n_vectors * row_stride + d + j % n_vectors * kLanes);
}

/// Vectors of dimensions at a time, of plain numbers.
template <std::uint32_t n>
constexpr std::size_t kPlainVectors = n <= 2                   ? 8 / n
                                      : n <= 4 && kLanes == 16 ? 4
                                                               : 2;

/// Dimensions [d, end) of plain numbers: as many vectors together as there are left.
template <std::uint32_t n, std::size_t n_vectors = kPlainVectors<n>, class Values>
HWY_INLINE void add_plain(const float* HWY_RESTRICT weights,
                          const Values& values,
                          Slots slots,
                          std::size_t end,
                          float* HWY_RESTRICT rows,
                          std::size_t row_stride,
                          std::size_t d = 0) {
  constexpr std::size_t kStep = n_vectors * kLanes;
  for (; d + kStep <= end; d += kStep)
    add_vectors<n, n_vectors>(weights, values, slots, d, rows, row_stride);
  if constexpr (n_vectors > 1)
    add_plain<n, n_vectors / 2>(weights, values, slots, end, rows, row_stride, d);
}

/// Of n_blocks whole blocks, together.
template <std::uint32_t n, std::size_t n_blocks, class Values>
HWY_INLINE void add_some_blocks(const float* HWY_RESTRICT scaled,
                                const Values& values,
                                Slots slots,
                                std::size_t d,
                                float* HWY_RESTRICT rows,
                                std::size_t row_stride) {
  constexpr std::size_t kVectors = kKvBlock / kLanes;
  Vector sums[n_blocks][n * kVectors];
  const auto row_of = [&](std::size_t block, std::size_t j) {
    return rows + j / kVectors * row_stride + d + block * kKvBlock + j % kVectors * kLanes;
  };
#pragma GCC unroll 2
  for (std::size_t b = 0; b < n_blocks; ++b) {
#pragma GCC unroll 32
    for (std::size_t j = 0; j < n * kVectors; ++j)
      sums[b][j] = hn::Load(Floats(), row_of(b, j));
  }
  for (std::size_t slot = slots.begin; slot < slots.end; ++slot) {
#pragma GCC unroll 2
    for (std::size_t b = 0; b < n_blocks; ++b) {
      values.template prefetch<kVectors>(slot, d + b * kKvBlock);
      Vector value[kVectors];
      values.template load<kVectors>(slot, d + b * kKvBlock, value);
      add_products<n, kVectors>(scaled + b * n * kPageTokens + slot, kPageTokens, value, sums[b]);
    }
  }
#pragma GCC unroll 2
  for (std::size_t b = 0; b < n_blocks; ++b) {
#pragma GCC unroll 32
    for (std::size_t j = 0; j < n * kVectors; ++j)
      hn::Store(sums[b][j], Floats(), row_of(b, j));
  }
}

/// scaled (n, kPageTokens) = weights * the scales of the block at d.
template <std::uint32_t n, class Values>
HWY_INLINE void scale_weights(const float* HWY_RESTRICT weights,
                              const Values& values,
                              std::size_t d,
                              float* HWY_RESTRICT scaled) {
  for (std::size_t slot = 0; slot < kPageTokens; slot += kLanes) {
    const Vector scales = values.scales(d, slot);
    for (std::size_t at = slot; at < std::size_t{n} * kPageTokens; at += kPageTokens)
      hn::Store(hn::Mul(hn::Load(Floats(), weights + at), scales), Floats(), scaled + at);
  }
}

/// All dimensions of quants in blocks.
template <std::uint32_t n, class Values>
HWY_INLINE void add_blocks(const float* HWY_RESTRICT weights,
                           const Values& values,
                           Slots slots,
                           std::uint32_t head_dim,
                           float* HWY_RESTRICT rows,
                           std::size_t row_stride) {
  constexpr std::size_t kTogether = kBlocksTogether<n>;
  HWY_ALIGN float scaled[kTogether * n * kPageTokens];
  std::size_t d = 0;
  if constexpr (kTogether == 2) {
    for (; d + kKvBlock < head_dim; d += kTogether * kKvBlock) {
      scale_weights<n>(weights, values, d, scaled);
      scale_weights<n>(weights, values, d + kKvBlock, scaled + std::size_t{n} * kPageTokens);
      add_some_blocks<n, 2>(scaled, values, slots, d, rows, row_stride);
    }
  }
  for (; d < head_dim; d += kKvBlock) {
    scale_weights<n>(weights, values, d, scaled);
    if constexpr (n <= kFewRows) {
      add_some_blocks<n, 1>(scaled, values, slots, d, rows, row_stride);
    } else {
      for (std::size_t at = d; at < d + kKvBlock; at += 2 * kLanes)
        add_vectors<n, 2>(scaled, values, slots, at, rows, row_stride);
    }
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
