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
#include "inference/rotation.h"

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

HWY_INLINE Vector scaled_and_capped(Vector score, float scale, float soft_cap) {
  const Floats floats;
  score = hn::Mul(score, hn::Set(floats, scale));
  if (soft_cap == 0) return score;
  const auto cap = hn::Set(floats, soft_cap);
  return hn::Mul(cap, hn::Tanh(floats, hn::Div(score, cap)));
}

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
      hn::Store(scaled_and_capped(scores[j], scale, soft_cap), floats, out);
    }
  }
}

/// The same for slots [first, last) of keys that lie position by position, (kPageTokens, row), row
/// whole vectors. Queries and keys are zero from the head's end to the row's.
template <std::uint32_t n>
HWY_INLINE void score_rows(const Query* queries,
                           const float* HWY_RESTRICT keys,
                           std::size_t row,
                           std::uint32_t first,
                           std::uint32_t last,
                           float scale,
                           float soft_cap,
                           float* HWY_RESTRICT weights) {
  const Floats floats;
  std::fill_n(weights, n * kPageTokens, 0.0F);
  for (std::uint32_t slot = first; slot < last; ++slot) {
    Vector sums[n];
#pragma GCC unroll 4
    for (auto& sum : sums)
      sum = hn::Zero(floats);
    for (std::size_t d = 0; d < row; d += kLanes) {
      const Vector key = load(keys + slot * row + d);
#pragma GCC unroll 4
      for (std::uint32_t i = 0; i < n; ++i)
        sums[i] = hn::MulAdd(load(queries[i].q + d), key, sums[i]);
    }
#pragma GCC unroll 4
    for (std::uint32_t i = 0; i < n; ++i) {
      weights[i * kPageTokens + slot] = hn::GetLane(hn::SumOfLanes(floats, sums[i]));
    }
  }
  for (std::size_t at = 0; at < std::size_t{n} * kPageTokens; at += kLanes) {
    hn::Store(
        scaled_and_capped(hn::Load(floats, weights + at), scale, soft_cap), floats, weights + at);
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

/// Slots [begin, end) of a page; none where begin >= end.
struct Slots {
  std::uint32_t begin;
  std::uint32_t end;
};

/// Those of the page that starts at this position which a query sees.
HWY_INLINE Slots slots_of(const Query& query, std::uint32_t page_begin) {
  return {query.begin > page_begin ? query.begin - page_begin : 0,
          query.end > page_begin ? std::min(query.end - page_begin, kPageTokens) : 0};
}

/// A page's keys and values of one KV head, stored number by number.
template <class Element>
class PlainPage {
 public:
  PlainPage(const Attention& job, PageId page, std::uint32_t kv_head)
      : job_(job),
        keys_(reinterpret_cast<const Element*>(job.store->keys(page, job.layer, kv_head))),
        values_(reinterpret_cast<const Element*>(job.store->values(page, job.layer, kv_head))) {}

  template <std::uint32_t n>
  HWY_INLINE void score(const Query* queries, Slots /*seen*/, float* HWY_RESTRICT weights) {
    score_page<n>(queries, keys_, job_.head_dim, job_.scale, job_.soft_cap, weights);
  }
  template <std::uint32_t n>
  HWY_INLINE void add(const float* HWY_RESTRICT weights, Slots seen, float* HWY_RESTRICT sums) {
    const std::size_t stride = padded(job_.head_dim);
    add_all_values<n, 8 / n>(weights, values_, stride, seen.begin, seen.end, sums, 0);
  }

 private:
  const Attention& job_;
  const Element* keys_;
  const Element* values_;
};

/// The same stored in blocks: the rows that are seen are read into f32 first, once for all queries.
class BlockPage {
 public:
  BlockPage(const Attention& job, PageId page, std::uint32_t kv_head)
      : job_(job),
        keys_(job.store->keys(page, job.layer, kv_head)),
        values_(job.store->values(page, job.layer, kv_head)),
        row_bytes_(kv_row_bytes(job.store->format(), job.head_dim)) {
    const BlockFormat& blocks = block_format_of(job.store->format());
    format_ = find_format(blocks.type);
    row_ = row_bytes_ / blocks.block_bytes * blocks.block_elements;
  }

  template <std::uint32_t n>
  HWY_INLINE void score(const Query* queries, Slots seen, float* HWY_RESTRICT weights) {
    read(keys_, seen);
    score_rows<n>(queries, rows_, row_, seen.begin, seen.end, job_.scale, job_.soft_cap, weights);
  }
  template <std::uint32_t n>
  HWY_INLINE void add(const float* HWY_RESTRICT weights, Slots seen, float* HWY_RESTRICT sums) {
    read(values_, seen);
    add_all_values<n, 8 / n>(weights, rows_, row_, seen.begin, seen.end, sums, 0);
  }

 private:
  void read(const std::byte* blocks, Slots seen) {
    const std::size_t n_rows = seen.end - seen.begin;
    format_->dequantize(blocks + seen.begin * row_bytes_, n_rows * row_, rows_ + seen.begin * row_);
  }

  const Attention& job_;
  const std::byte* keys_;
  const std::byte* values_;
  const Format* format_;
  std::size_t row_bytes_;
  std::size_t row_;  // elements, whole blocks
  HWY_ALIGN float rows_[kPageTokens * kMaxHeadDim];
};

/// Folds a page that starts at position `page_begin` into n queries. `accumulators` is
/// (n, kMaxHeadDim).
template <std::uint32_t n, class Page>
HWY_INLINE void fold_page(Query* queries,
                          float* HWY_RESTRICT accumulators,
                          Page& page,
                          std::uint32_t head_dim,
                          std::uint32_t page_begin) {
  Slots seen = {kPageTokens, 0};  // by some query
  for (std::uint32_t i = 0; i < n; ++i) {
    const Slots slots = slots_of(queries[i], page_begin);
    if (slots.begin >= slots.end) continue;
    seen = {std::min(seen.begin, slots.begin), std::max(seen.end, slots.end)};
  }
  if (seen.begin >= seen.end) return;
  HWY_ALIGN float weights[n * kPageTokens];
  page.template score<n>(queries, seen, weights);
  for (std::uint32_t i = 0; i < n; ++i) {
    const Slots slots = slots_of(queries[i], page_begin);
    float* row = weights + i * kPageTokens;
    if (slots.begin >= slots.end) {
      std::fill_n(row, kPageTokens, 0.0F);
      continue;
    }
    float* accumulator = accumulators + std::size_t{i} * kMaxHeadDim;
    weigh_page(queries[i], row, slots.begin, slots.end, head_dim, accumulator);
  }
  page.template add<n>(weights, seen, accumulators);
}

template <std::uint32_t n, class Page>
void attend_queries(const Attention& job, std::uint32_t kv_head, Query* queries) {
  HWY_ALIGN float accumulators[n * kMaxHeadDim];
  std::fill_n(accumulators, n * kMaxHeadDim, 0.0F);
  constexpr bool kInBlocks = std::is_same_v<Page, BlockPage>;
  const bool is_turned = is_rotated(job.store->format());
  HWY_ALIGN float turned[kInBlocks ? n * kMaxHeadDim : 1];
  if constexpr (kInBlocks) {
    // Rows of whole blocks, zero behind the head.
    std::fill_n(turned, n * kMaxHeadDim, 0.0F);
    for (std::uint32_t i = 0; i < n; ++i) {
      float* q = turned + std::size_t{i} * kMaxHeadDim;
      std::copy_n(queries[i].q, job.head_dim, q);
      if (is_turned) rotate({q, job.head_dim});
      queries[i].q = q;
    }
  }
  // Queries come in the order of their positions.
  const std::uint32_t first_page = queries[0].begin / kPageTokens;
  const std::uint32_t end_page = pages_for(queries[n - 1].end);
  for (std::uint32_t index = first_page; index < end_page; ++index) {
    Page page(job, job.pages[index], kv_head);
    fold_page<n>(queries, accumulators, page, job.head_dim, index * kPageTokens);
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    const float* accumulator = accumulators + std::size_t{i} * kMaxHeadDim;
    for (std::uint32_t d = 0; d < job.head_dim; ++d) {
      queries[i].out[d] = accumulator[d] / queries[i].sum;
    }
    if (is_turned) unrotate({queries[i].out, job.head_dim});
  }
}

template <class Page>
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
        attend_queries<kQueryTile, Page>(job, kv_head, queries);
        n = 0;
      }
    }
  }
  if ((n & 2U) != 0) attend_queries<2, Page>(job, kv_head, queries);
  if ((n & 1U) != 0) attend_queries<1, Page>(job, kv_head, queries + (n & 2U));
}

void attend_tokens(const Attention& job,
                   std::uint32_t kv_head,
                   std::uint32_t token_begin,
                   std::uint32_t token_end) {
  switch (job.store->format()) {
    case KvFormat::kF32:
      return attend_range<PlainPage<float>>(job, kv_head, token_begin, token_end);
    case KvFormat::kF16:
      return attend_range<PlainPage<hwy::float16_t>>(job, kv_head, token_begin, token_end);
    case KvFormat::kQ8_0:
    case KvFormat::kQ4_0:
      return attend_range<BlockPage>(job, kv_head, token_begin, token_end);
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
