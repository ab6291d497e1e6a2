// Streaming softmax, a page at a time: running maximum, sum and weighted values per query are
// rescaled when a page raises the maximum, so memory does not grow with the context (Milakov &
// Gimelshein 2018; Dao et al. 2022). A few queries (heads of the group, neighbouring tokens) go
// through a page together and share its loads.
#include "inference/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "inference/cpu/formats.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, which it needs.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPadding>;
using Vector = hn::Vec<Floats>;

constexpr std::size_t kLanes = hn::MaxLanes(Floats());  // our targets' vectors have one width each
constexpr std::uint32_t kQueryTile = 4;

HWY_INLINE Vector load(const float* from) {
  return hn::LoadU(Floats(), from);
}
HWY_INLINE Vector load(const hwy::float16_t* from) {
  return hn::PromoteTo(Floats(), hn::LoadU(hn::Rebind<hwy::float16_t, Floats>(), from));
}

/// One query on its way through the pages.
struct Query {
  const float* q;
  float* out;
  std::uint32_t begin;  // positions it sees
  std::uint32_t end;
  float maximum = -std::numeric_limits<float>::infinity();
  float sum = 0;
};

/// weights (n, kPageTokens) = soft_cap(scale * q k^T) for a page's keys.
template <std::uint32_t n, class Element>
HWY_INLINE void score_page(const Query* queries,
                           const Element* HWY_RESTRICT keys,
                           std::uint32_t head_dim,
                           float scale,
                           float soft_cap,
                           float* HWY_RESTRICT weights) {
  const Floats floats;
  // Vectors of positions at a time: enough independent sums to fill the multiplier's pipeline.
  constexpr std::size_t kVectors = std::min<std::size_t>(kPageTokens / kLanes, 8 / n);
  for (std::size_t slot = 0; slot < kPageTokens; slot += kVectors * kLanes) {
    Vector scores[n * kVectors];
#pragma GCC unroll 8
    for (auto& score : scores)
      score = hn::Zero(floats);
    for (std::uint32_t d = 0; d < head_dim; ++d) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        const Vector key = load(keys + std::size_t{d} * kPageTokens + slot + v * kLanes);
#pragma GCC unroll 4
        for (std::uint32_t i = 0; i < n; ++i) {
          auto& score = scores[i * kVectors + v];
          score = hn::MulAdd(hn::Set(floats, queries[i].q[d]), key, score);
        }
      }
    }
#pragma GCC unroll 8
    for (std::size_t j = 0; j < n * kVectors; ++j) {
      float* out = weights + j / kVectors * kPageTokens + slot + j % kVectors * kLanes;
      Vector score = hn::Mul(scores[j], hn::Set(floats, scale));
      if (soft_cap != 0) {
        const auto cap = hn::Set(floats, soft_cap);
        score = hn::Mul(cap, hn::Tanh(floats, hn::Div(score, cap)));
      }
      hn::Store(score, floats, out);
    }
  }
}

/// accumulators (n, kMaxHeadDim) += weights * values, for n_vectors vectors of dimensions
/// from d on and the page's slots [first, last).
template <std::uint32_t n, std::uint32_t n_vectors, class Element>
HWY_INLINE void add_values(const float* HWY_RESTRICT weights,
                           const Element* HWY_RESTRICT values,
                           std::size_t value_stride,
                           std::uint32_t first,
                           std::uint32_t last,
                           float* HWY_RESTRICT accumulators) {
  const Floats floats;
  Vector sums[n * n_vectors];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{n} * n_vectors; ++j) {
    sums[j] = hn::Load(floats, accumulators + j / n_vectors * kMaxHeadDim + j % n_vectors * kLanes);
  }
  for (std::uint32_t slot = first; slot < last; ++slot) {
#pragma GCC unroll 8
    for (std::uint32_t v = 0; v < n_vectors; ++v) {
      const Vector value = load(values + slot * value_stride + v * kLanes);
#pragma GCC unroll 4
      for (std::uint32_t i = 0; i < n; ++i) {
        auto& sum = sums[i * n_vectors + v];
        sum = hn::MulAdd(hn::Set(floats, weights[i * kPageTokens + slot]), value, sum);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{n} * n_vectors; ++j) {
    hn::Store(sums[j], floats, accumulators + j / n_vectors * kMaxHeadDim + j % n_vectors * kLanes);
  }
}

/// The same for all dimensions from d on: as many vectors together as there are left.
template <std::uint32_t n, std::uint32_t n_vectors, class Element>
HWY_INLINE void add_all_values(const float* HWY_RESTRICT weights,
                               const Element* HWY_RESTRICT values,
                               std::size_t value_stride,
                               std::uint32_t first,
                               std::uint32_t last,
                               float* HWY_RESTRICT accumulators,
                               std::size_t d) {
  for (; d + n_vectors * kLanes <= value_stride; d += n_vectors * kLanes) {
    add_values<n, n_vectors>(weights, values + d, value_stride, first, last, accumulators + d);
  }
  if constexpr (n_vectors > 1) {
    add_all_values<n, n_vectors / 2>(weights, values, value_stride, first, last, accumulators, d);
  }
}

/// Turns a query's scores of a page into weights, relative to its new maximum, and rescales what it
/// has summed so far. Scores of slots outside [begin, end) become 0: slots beyond the sequence's
/// end hold old bytes and must not be computed with.
HWY_INLINE void weigh_page(Query& query,
                           float* HWY_RESTRICT scores,
                           std::uint32_t begin,
                           std::uint32_t end,
                           std::uint32_t head_dim,
                           float* HWY_RESTRICT accumulator) {
  const Floats floats;
  const float hidden = -std::numeric_limits<float>::infinity();  // exp(hidden) = 0
  if (begin > 0) std::fill_n(scores, begin, hidden);
  if (end < kPageTokens) std::fill(scores + end, scores + kPageTokens, hidden);
  Vector greatest = hn::Set(floats, query.maximum);
  for (std::size_t slot = 0; slot < kPageTokens; slot += kLanes) {
    greatest = hn::Max(greatest, hn::Load(floats, scores + slot));
  }
  const float maximum = hn::GetLane(hn::MaxOfLanes(floats, greatest));
  const float decay = maximum == query.maximum ? 1.0F : std::exp(query.maximum - maximum);
  Vector sums = hn::Zero(floats);
  for (std::size_t slot = 0; slot < kPageTokens; slot += kLanes) {
    const auto weight =
        hn::Exp(floats, hn::Sub(hn::Load(floats, scores + slot), hn::Set(floats, maximum)));
    hn::Store(weight, floats, scores + slot);
    sums = hn::Add(sums, weight);
  }
  query.sum = query.sum * decay + hn::GetLane(hn::SumOfLanes(floats, sums));
  query.maximum = maximum;
  if (decay == 1.0F) return;
  for (std::size_t d = 0; d < head_dim; d += kLanes) {
    const auto sum = hn::Load(floats, accumulator + d);
    hn::Store(hn::Mul(sum, hn::Set(floats, decay)), floats, accumulator + d);
  }
}

/// Folds positions [page_begin, page_begin + kPageTokens) into n queries. `accumulators` is
/// (n, kMaxHeadDim).
template <std::uint32_t n, class Element>
HWY_INLINE void fold_page(Query* queries,
                          float* HWY_RESTRICT accumulators,
                          const Element* HWY_RESTRICT keys,
                          const Element* HWY_RESTRICT values,
                          std::uint32_t head_dim,
                          std::uint32_t page_begin,
                          float scale,
                          float soft_cap) {
  HWY_ALIGN float weights[n * kPageTokens];
  score_page<n>(queries, keys, head_dim, scale, soft_cap, weights);

  std::uint32_t first = kPageTokens;  // slots that some query sees
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    Query& query = queries[i];
    const std::uint32_t begin = query.begin > page_begin ? query.begin - page_begin : 0;
    const std::uint32_t end =
        query.end > page_begin ? std::min(query.end - page_begin, kPageTokens) : 0;
    float* row = weights + i * kPageTokens;
    if (begin >= end) {
      std::fill_n(row, kPageTokens, 0.0F);
      continue;
    }
    first = std::min(first, begin);
    last = std::max(last, end);
    weigh_page(query, row, begin, end, head_dim, accumulators + std::size_t{i} * kMaxHeadDim);
  }

  add_all_values<n, 8 / n>(weights, values, padded(head_dim), first, last, accumulators, 0);
}

template <std::uint32_t n, class Element>
void attend_queries(const Attention& job, std::uint32_t kv_head, Query* queries) {
  HWY_ALIGN float accumulators[n * kMaxHeadDim];
  std::fill_n(accumulators, n * kMaxHeadDim, 0.0F);
  // Queries come in the order of their positions.
  const std::uint32_t first_page = queries[0].begin / kPageTokens;
  const std::uint32_t end_page = pages_for(queries[n - 1].end);
  for (std::uint32_t page = first_page; page < end_page; ++page) {
    fold_page<n, Element>(
        queries,
        accumulators,
        reinterpret_cast<const Element*>(job.store->keys(job.pages[page], job.layer, kv_head)),
        reinterpret_cast<const Element*>(job.store->values(job.pages[page], job.layer, kv_head)),
        job.head_dim,
        page * kPageTokens,
        job.scale,
        job.soft_cap);
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    const float* accumulator = accumulators + std::size_t{i} * kMaxHeadDim;
    for (std::uint32_t d = 0; d < job.head_dim; ++d) {
      queries[i].out[d] = accumulator[d] / queries[i].sum;
    }
  }
}

template <class Element>
HWY_INLINE void attend_range(const Attention& job,
                             std::uint32_t kv_head,
                             std::uint32_t token_begin,
                             std::uint32_t token_end) {
  const std::uint32_t group = job.n_heads / job.n_kv_heads;
  Query queries[kQueryTile];
  std::uint32_t n = 0;
  for (std::uint32_t token = token_begin; token < token_end; ++token) {
    const std::uint32_t end = job.position + token + 1;
    const std::uint32_t begin =
        job.sliding_window != 0 && end > job.sliding_window ? end - job.sliding_window : 0;
    for (std::uint32_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      queries[n++] = Query{
          .q = job.queries + token * job.query_stride + std::size_t{head} * job.head_dim,
          .out = job.out + token * job.out_stride + std::size_t{head} * job.head_dim,
          .begin = begin,
          .end = end,
      };
      if (n == kQueryTile) {
        attend_queries<kQueryTile, Element>(job, kv_head, queries);
        n = 0;
      }
    }
  }
  if ((n & 2U) != 0) attend_queries<2, Element>(job, kv_head, queries);
  if ((n & 1U) != 0) attend_queries<1, Element>(job, kv_head, queries + (n & 2U));
}

void attend_tokens(const Attention& job,
                   std::uint32_t kv_head,
                   std::uint32_t token_begin,
                   std::uint32_t token_end) {
  if (job.store->format() == KvFormat::kF32) {
    attend_range<float>(job, kv_head, token_begin, token_end);
  } else {
    attend_range<hwy::float16_t>(job, kv_head, token_begin, token_end);
  }
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(attend_tokens);

void attend(const Attention& job,
            std::uint32_t kv_head,
            std::uint32_t token_begin,
            std::uint32_t token_end) {
  HWY_DYNAMIC_DISPATCH(attend_tokens)(job, kv_head, token_begin, token_end);
}

}  // namespace kinglet::inference::cpu
#endif
