// Streaming softmax, a page at a time: running maximum, sum and weighted values per query are
// rescaled when a page raises the maximum, so memory does not grow with the context (Milakov &
// Gimelshein 2018; Dao et al. 2022). A few queries (heads of the group, neighbouring tokens) go
// through a page together and share its loads.
#include "inference/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

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

/// Folds positions [page_begin, page_begin + kPageTokens) into n queries. `accumulators` is
/// (kQueryTile, kMaxHeadDim).
template <std::uint32_t n, class Element>
HWY_INLINE void fold_page(Query* queries,
                          float* HWY_RESTRICT accumulators,
                          const Element* HWY_RESTRICT keys,
                          const Element* HWY_RESTRICT values,
                          std::uint32_t head_dim,
                          std::uint32_t page_begin,
                          float scale) {
  const Floats floats;
  const std::size_t lanes = hn::Lanes(floats);
  HWY_ALIGN float weights[n * kPageTokens];

  for (std::size_t slot = 0; slot < kPageTokens; slot += lanes) {
    Vector scores[n];
#pragma GCC unroll 4
    for (auto& score : scores)
      score = hn::Zero(floats);
    for (std::uint32_t d = 0; d < head_dim; ++d) {
      const Vector key = load(keys + std::size_t{d} * kPageTokens + slot);
#pragma GCC unroll 4
      for (std::uint32_t i = 0; i < n; ++i) {
        scores[i] = hn::MulAdd(hn::Set(floats, queries[i].q[d]), key, scores[i]);
      }
    }
#pragma GCC unroll 4
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto scaled = hn::Mul(scores[i], hn::Set(floats, scale));
      hn::Store(scaled, floats, weights + i * kPageTokens + slot);
    }
  }

  std::uint32_t first = kPageTokens;  // slots that some query sees
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    Query& query = queries[i];
    float* row = weights + i * kPageTokens;
    const std::uint32_t begin = query.begin > page_begin ? query.begin - page_begin : 0;
    const std::uint32_t end =
        query.end > page_begin ? std::min(query.end - page_begin, kPageTokens) : 0;
    if (begin >= end) {
      std::fill_n(row, kPageTokens, 0.0F);
      continue;
    }
    first = std::min(first, begin);
    last = std::max(last, end);
    // What the query does not see becomes exp(-inf) = 0. Slots beyond the sequence's end hold old
    // bytes: they are replaced before anything is computed of them.
    const float hidden = -std::numeric_limits<float>::infinity();
    std::fill_n(row, begin, hidden);
    std::fill(row + end, row + kPageTokens, hidden);
    const float maximum = std::max(query.maximum, *std::max_element(row + begin, row + end));
    const float decay = std::exp(query.maximum - maximum);
    Vector sums = hn::Zero(floats);
    for (std::size_t slot = 0; slot < kPageTokens; slot += lanes) {
      const auto weight =
          hn::Exp(floats, hn::Sub(hn::Load(floats, row + slot), hn::Set(floats, maximum)));
      hn::Store(weight, floats, row + slot);
      sums = hn::Add(sums, weight);
    }
    query.sum = query.sum * decay + hn::GetLane(hn::SumOfLanes(floats, sums));
    query.maximum = maximum;
    if (decay != 1.0F) {
      float* accumulator = accumulators + std::size_t{i} * kMaxHeadDim;
      for (std::size_t d = 0; d < head_dim; d += lanes) {
        hn::Store(hn::Mul(hn::Load(floats, accumulator + d), hn::Set(floats, decay)),
                  floats,
                  accumulator + d);
      }
    }
  }

  const std::size_t value_stride = padded(head_dim);
  for (std::size_t d = 0; d < head_dim; d += lanes) {
    Vector sums[n];
#pragma GCC unroll 4
    for (std::uint32_t i = 0; i < n; ++i) {
      sums[i] = hn::Load(floats, accumulators + std::size_t{i} * kMaxHeadDim + d);
    }
    for (std::uint32_t slot = first; slot < last; ++slot) {
      const Vector value = load(values + slot * value_stride + d);
#pragma GCC unroll 4
      for (std::uint32_t i = 0; i < n; ++i) {
        sums[i] = hn::MulAdd(hn::Set(floats, weights[i * kPageTokens + slot]), value, sums[i]);
      }
    }
#pragma GCC unroll 4
    for (std::uint32_t i = 0; i < n; ++i) {
      hn::Store(sums[i], floats, accumulators + std::size_t{i} * kMaxHeadDim + d);
    }
  }
}

template <std::uint32_t n, class Element>
void attend_queries(const Attention& job, std::uint32_t kv_head, Query* queries) {
  HWY_ALIGN float accumulators[n * kMaxHeadDim];
  std::fill_n(accumulators, n * kMaxHeadDim, 0.0F);
  const float scale = 1.0F / std::sqrt(static_cast<float>(job.head_dim));
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
        scale);
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
  for (std::uint32_t i = 0; i < n; ++i)
    attend_queries<1, Element>(job, kv_head, queries + i);
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
