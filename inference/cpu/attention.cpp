// Streaming softmax, a page at a time: running maximum, sum and weighted values per query are
// rescaled when a page raises the maximum, so memory does not grow with the context (Milakov &
// Gimelshein 2018; Dao et al. 2022).
//
// Queries (heads of the group, neighbouring tokens) go through a page in rows of a matrix product:
// 6 or 12 of them times two vectors of positions, then of dimensions, live in registers. For more
// than a few rows a page is widened to floats first, in the first-level cache; few read it as it
// lies. Which way a row goes, and with which others, changes no bit of it: each sum is one
// register's, of the same numbers in the same order.
#include "inference/cpu/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "inference/cpu/formats.h"
#include "inference/cpu/rotate_head.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/cpu/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, which they need.
#include <hwy/contrib/math/math-inl.h>

#include "inference/cpu/attention_products-inl.h"

// For all targets alike.
#ifndef KINGLET_ATTENTION_ROWS
#define KINGLET_ATTENTION_ROWS
namespace kinglet::inference::cpu {

// Rows that go through a page together: many, so that widening it costs little; few enough that
// they stay in the second-level cache.
constexpr std::uint32_t kMostRows = 48;
constexpr std::uint32_t kMostRowFloats = kMostRows * 128;  // longer heads go fewer together

// What a row has summed up: weighted values (whole_head floats), then the sum of the weights in so
// many parts, then the greatest score. The lengths keep rows from falling on the same cache lines.
constexpr std::size_t kSumParts = kPadding;
constexpr std::size_t kRowTail = 2 * kPadding;

constexpr std::size_t whole_head(std::uint32_t head_dim) {
  return (std::size_t{head_dim} + kKvBlock - 1) / kKvBlock * kKvBlock;
}
constexpr std::size_t row_floats(std::uint32_t head_dim) {
  return whole_head(head_dim) + kRowTail;
}

}  // namespace kinglet::inference::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace kinglet::inference::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kHidden = -std::numeric_limits<float>::infinity();  // a score whose weight is 0
constexpr float kLog2E = 1.44269504088896341F;

/// 2^x for x <= 0; below 2^-126 it is 0. The polynomial is the one of its degree whose greatest
/// relative error on [-1/2, 1/2], 1.9e-9, is least.
HWY_INLINE Vector exp2_of_negative(Vector x) {
  const Floats floats;
  const Ints ints;
  const auto whole = hn::Round(x);
  const auto rest = hn::Sub(x, whole);
  auto power = hn::Set(floats, 1.53458124e-4F);
  power = hn::MulAdd(power, rest, hn::Set(floats, 1.33999309e-3F));
  power = hn::MulAdd(power, rest, hn::Set(floats, 9.61848907e-3F));
  power = hn::MulAdd(power, rest, hn::Set(floats, 5.55032864e-2F));
  power = hn::MulAdd(power, rest, hn::Set(floats, 2.40226462e-1F));
  power = hn::MulAdd(power, rest, hn::Set(floats, 6.93147182e-1F));
  power = hn::MulAdd(power, rest, hn::Set(floats, 1.0F));
  const auto exponent = hn::Add(hn::ConvertTo(ints, whole), hn::Set(ints, 127));
  const auto scaled = hn::Mul(power, hn::BitCast(floats, hn::ShiftLeft<23>(exponent)));
  // Asked this way around, NaN stays.
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(floats, -126.0F)), scaled);
}

/// Positions [begin, end) that a query sees.
struct Seen {
  std::uint32_t begin;
  std::uint32_t end;

  /// Of the page that starts at this position.
  Slots slots(std::uint32_t page_begin) const {
    return {begin > page_begin ? begin - page_begin : 0,
            end > page_begin ? std::min(end - page_begin, kPageTokens) : 0};
  }
};

/// Queries on their way through the pages: a range of a tile's rows, token by token and head by
/// head.
class Rows {
 public:
  /// Rows [begin, begin + n) of the tile.
  Rows(const Attention& job, const AttentionTile& tile, std::uint32_t begin, std::uint32_t n)
      : job_(job), tile_(tile), begin_(begin), n_(n), stride_(row_floats(job.head_dim)) {
    const bool is_turned = is_rotated(job.store->format());
    const float factor = job.soft_cap == 0 ? job.scale * kLog2E : job.scale / job.soft_cap;
    for (std::uint32_t i = 0; i < n; ++i) {
      const Place place = place_of(i);
      const float* from = job.queries + place.token * job.query_stride + place.offset;
      HWY_ALIGN float q[kMaxHeadDim];
      for (std::uint32_t d = 0; d < job.head_dim; ++d)
        q[d] = from[d] * factor;
      std::fill(q + job.head_dim, q + whole_head(job.head_dim), 0.0F);
      if (is_turned) rotate_head(q, job.head_dim);
      for (std::size_t d = 0; d < whole_head(job.head_dim); ++d)
        queries_[d * n + i] = q[d];
      const std::uint32_t end = job.position + place.token + 1;
      const std::uint32_t window = job.sliding_window;
      seen_[i] = {window != 0 && end > window ? end - window : 0, end};
    }
  }

  std::uint32_t size() const { return n_; }

  /// left (n, row_floats) = the sums of these positions.
  void attend(RunRange run, float* left) {
    const std::size_t width = stride_ - kRowTail;
    for (std::uint32_t i = 0; i < n_; ++i) {
      std::fill_n(left + i * stride_, width + kSumParts, 0.0F);
      left[i * stride_ + width + kSumParts] = kHidden;
    }
    const std::uint32_t first = std::max(run.begin * kRunTokens, seen_[0].begin) / kPageTokens;
    const std::uint32_t end = pages_for(std::min(run.end * kRunTokens, seen_[n_ - 1].end));
    for (std::uint32_t page = first; page < end; ++page)
      fold_page(page, page + 1 < end ? page + 1 : page, left);
  }

  /// Adds a run's sums to those of the runs before it.
  void join(const float* HWY_RESTRICT run, float* HWY_RESTRICT total) const {
    const std::size_t width = stride_ - kRowTail;
    for (std::uint32_t i = 0; i < n_; ++i, run += stride_, total += stride_) {
      float& maximum = total[width + kSumParts];
      const float run_maximum = run[width + kSumParts];
      if (run_maximum == kHidden && run[width] == 0) continue;  // it sees nothing there
      const float both = std::max(maximum, run_maximum);
      const auto old_factor = exp2_of_negative(hn::Set(Floats(), maximum - both));
      const auto run_factor = exp2_of_negative(hn::Set(Floats(), run_maximum - both));
      for (std::size_t d = 0; d < width + kSumParts; d += kLanes) {
        const auto old = hn::Mul(hn::LoadU(Floats(), total + d), old_factor);
        const auto joined = hn::MulAdd(hn::LoadU(Floats(), run + d), run_factor, old);
        hn::StoreU(joined, Floats(), total + d);
      }
      maximum = both;
    }
  }

  void write(const float* HWY_RESTRICT total) const {
    const std::size_t width = stride_ - kRowTail;
    const bool is_turned = is_rotated(job_.store->format());
    for (std::uint32_t i = 0; i < n_; ++i, total += stride_) {
      auto sum = hn::Zero(Floats());
      for (std::size_t part = 0; part < kSumParts; part += kLanes)
        sum = hn::Add(sum, hn::LoadU(Floats(), total + width + part));
      const float weight = hn::GetLane(hn::SumOfLanes(Floats(), sum));
      const Place place = place_of(i);
      float* out = job_.out + place.token * job_.out_stride + place.offset;
      for (std::uint32_t d = 0; d < job_.head_dim; ++d)
        out[d] = total[d] / weight;
      if (is_turned) unrotate_head(out, job_.head_dim);
    }
  }

 private:
  struct Place {
    std::uint32_t token;
    std::size_t offset;  // of the head
  };
  Place place_of(std::uint32_t row) const {
    const std::uint32_t group = job_.n_heads / job_.n_kv_heads;
    const std::uint32_t at = begin_ + row;
    const std::uint32_t head = tile_.kv_head * group + at % group;
    return {tile_.token_begin + at / group, std::size_t{head} * job_.head_dim};
  }

  /// Adds what the rows see of a page; `next` is read after it.
  void fold_page(std::uint32_t page, std::uint32_t next, float* left) {
    const std::uint32_t page_begin = page * kPageTokens;
    // Rows come in the order of their positions, so those that see the page are neighbours.
    std::uint32_t first = 0;
    while (first < n_ && seen_[first].slots(page_begin).empty())
      ++first;
    std::uint32_t last = n_;
    while (last > first && seen_[last - 1].slots(page_begin).empty())
      --last;
    if (first == last) return;
    const std::byte* keys = job_.store->keys(job_.pages[page], job_.layer, tile_.kv_head);
    const std::byte* values = job_.store->values(job_.pages[page], job_.layer, tile_.kv_head);
    const std::ptrdiff_t ahead =
        job_.store->keys(job_.pages[next], job_.layer, tile_.kv_head) - keys;
    const Page at = {first, last, page_begin, keys, values, ahead};
    switch (job_.store->format()) {
      case KvFormat::kF32:
        return fold_floats(at, left);
      case KvFormat::kF16:
        return fold_halves(at, left);
      case KvFormat::kQ8_0:
        return fold_blocks<KvFormat::kQ8_0>(at, left);
      case KvFormat::kQ4_0:
        return fold_blocks<KvFormat::kQ4_0>(at, left);
    }
  }

  struct Page {
    std::uint32_t first;  // rows that see it
    std::uint32_t last;
    std::uint32_t begin;  // position
    const std::byte* keys;
    const std::byte* values;
    std::ptrdiff_t ahead;  // bytes to the next page
    bool has_few_rows() const { return last - first <= kFewRows; }
  };

  void fold_floats(const Page& page, float* left) {
    const PlainKeys<float> keys = {reinterpret_cast<const float*>(page.keys), page.ahead};
    score_few(page, keys);
    score_many(page, keys);
    const Slots slots = weigh(page, left);
    const PlainValues<float> values = {
        reinterpret_cast<const float*>(page.values), padded(job_.head_dim), page.ahead};
    add_few(page, values, slots, left);
    add_many(page, values, slots, left);
  }

  void fold_halves(const Page& page, float* left) {
    const auto* halves = reinterpret_cast<const hwy::float16_t*>(page.keys);
    if (page.has_few_rows()) {
      score_few(page, PlainKeys<hwy::float16_t>{halves, page.ahead});
    } else {
      widen(halves, std::size_t{job_.head_dim} * kPageTokens, page.ahead, wide_);
      score_many(page, WidePlainKeys{wide_});
    }
    const Slots slots = weigh(page, left);
    halves = reinterpret_cast<const hwy::float16_t*>(page.values);
    const std::size_t row = padded(job_.head_dim);
    if (page.has_few_rows()) {
      add_few(page, PlainValues<hwy::float16_t>{halves, row, page.ahead}, slots, left);
    } else {
      const std::size_t skipped = slots.begin * row;
      widen(halves + skipped, slots.end * row - skipped, page.ahead, wide_ + skipped);
      add_many(page, WidePlainValues{wide_, row}, slots, left);
    }
  }

  template <KvFormat format>
  void fold_blocks(const Page& page, float* left) {
    const BlockKeys<format> keys = {page.keys, page.ahead};
    if (page.has_few_rows()) {
      score_few(page, keys);
    } else {
      widen_keys(keys, whole_head(job_.head_dim), wide_);
      score_many(page, WideKeys<format>{page.keys, wide_});
    }
    const Slots slots = weigh(page, left);
    const BlockValues<format> values = {page.values, page.ahead};
    if (page.has_few_rows()) {
      add_few(page, values, slots, left);
    } else {
      widen_values(values, job_.head_dim, slots.begin, slots.end, wide_);
      add_many(page, WideValues<format>{page.values, wide_}, slots, left);
    }
  }

  // Scores of the rows that see a page, and what they add, for a few rows and for more.

  template <class Keys>
  HWY_INLINE void score_few(const Page& page, const Keys& keys) {
    for_few<kFewRows>(page, [&](auto n) HWY_ATTR { score<n>(page.first, keys); });
  }
  template <class Keys>
  HWY_INLINE void score_many(const Page& page, const Keys& keys) {
    if (page.has_few_rows()) return;
    for_rows(
        page.first, page.last, [&](auto n, std::uint32_t row) HWY_ATTR { score<n>(row, keys); });
  }
  template <std::uint32_t n, class Keys>
  void score(std::uint32_t row, const Keys& keys) {
    float* scores = weights_ + std::size_t{row} * kPageTokens;
    if constexpr (Keys::kInBlocks) {
      score_blocks<n>(queries_ + row, n_, keys, job_.head_dim, scores);
    } else {
      score_plain<n>(queries_ + row, n_, keys, job_.head_dim, scores);
    }
  }

  template <class Values>
  HWY_INLINE void add_few(const Page& page, const Values& values, Slots slots, float* left) {
    for_few<kFewRows>(page, [&](auto n) HWY_ATTR { add<n>(page.first, values, slots, left); });
  }
  template <class Values>
  HWY_INLINE void add_many(const Page& page, const Values& values, Slots slots, float* left) {
    if (page.has_few_rows()) return;
    for_rows(page.first, page.last, [&](auto n, std::uint32_t row) HWY_ATTR {
      add<n>(row, values, slots, left);
    });
  }
  template <std::uint32_t n, class Values>
  void add(std::uint32_t row, const Values& values, Slots slots, float* left) {
    const float* weights = weights_ + std::size_t{row} * kPageTokens;
    float* rows = left + row * stride_;
    if constexpr (Values::kInBlocks) {
      add_blocks<n>(weights, values, slots, job_.head_dim, rows, stride_);
    } else {
      add_plain<n>(weights, values, slots, padded(job_.head_dim), rows, stride_);
    }
  }

  /// Calls body(n) if the page is seen by n <= most rows.
  template <std::uint32_t most, class Body>
  static HWY_INLINE void for_few(const Page& page, const Body& body) {
    if (page.last - page.first == most) return body(std::integral_constant<std::uint32_t, most>());
    if constexpr (most > 1) for_few<most - 1>(page, body);
  }
  /// How many of n rows to take together: so that no few are left, which would wait for their own
  /// sums.
  static constexpr std::uint32_t rows_together(std::uint32_t n) {
    if (kMostRowsTogether == 12 && n >= 12 && n != 13) return 12;
    if (n == 6 || n >= 9) return 6;
    if (n == 4 || n >= 7) return 4;
    return n == 5 ? 3 : n;
  }
  /// Calls body(n, row) for all rows, n at a time.
  template <class Body>
  static HWY_INLINE void for_rows(std::uint32_t row, std::uint32_t end, const Body& body) {
    for (std::uint32_t n = 0; row < end; row += n) {
      n = rows_together(end - row);
      if constexpr (kMostRowsTogether == 12) {
        if (n == 12) body(std::integral_constant<std::uint32_t, 12>(), row);
      }
      if (n == 6) body(std::integral_constant<std::uint32_t, 6>(), row);
      if (n == 4) body(std::integral_constant<std::uint32_t, 4>(), row);
      if (n == 3) body(std::integral_constant<std::uint32_t, 3>(), row);
      if (n == 2) body(std::integral_constant<std::uint32_t, 2>(), row);
      if (n == 1) body(std::integral_constant<std::uint32_t, 1>(), row);
    }
  }

  /// Turns the scores of the rows that see a page into weights, relative to each row's new maximum,
  /// and rescales what it has summed so far. Scores of slots that a row does not see become 0. Says
  /// which slots some row sees: slots beyond the sequence's end hold old bytes and must not be
  /// computed with.
  Slots weigh(const Page& page, float* left) {
    const Floats floats;
    const std::size_t width = stride_ - kRowTail;
    Slots all = {kPageTokens, 0};
    for (std::uint32_t i = page.first; i < page.last; ++i) {
      float* HWY_RESTRICT scores = weights_ + std::size_t{i} * kPageTokens;
      float* HWY_RESTRICT row = left + i * stride_;
      const Slots slots = seen_[i].slots(page.begin);
      all = {std::min(all.begin, slots.begin), std::max(all.end, slots.end)};
      if (job_.soft_cap != 0) bend(scores);
      if (slots.begin > 0) std::fill_n(scores, slots.begin, kHidden);
      if (slots.end < kPageTokens) std::fill(scores + slots.end, scores + kPageTokens, kHidden);
      Vector greatest = hn::Load(floats, scores);
      for (std::size_t slot = kLanes; slot < kPageTokens; slot += kLanes)
        greatest = hn::Max(greatest, hn::Load(floats, scores + slot));
      float& maximum = row[width + kSumParts];
      if (!hn::AllTrue(floats, hn::Le(greatest, hn::Set(floats, maximum)))) {
        const float raised = hn::GetLane(hn::MaxOfLanes(floats, greatest));
        const auto decay = exp2_of_negative(hn::Set(floats, maximum - raised));
        for (std::size_t d = 0; d < width + kSumParts; d += kLanes)
          hn::Store(hn::Mul(hn::Load(floats, row + d), decay), floats, row + d);
        maximum = raised;
      }
      const Vector highest = hn::Set(floats, maximum);
      for (std::size_t slot = 0; slot < kPageTokens; slot += kLanes) {
        const auto weight = exp2_of_negative(hn::Sub(hn::Load(floats, scores + slot), highest));
        hn::Store(weight, floats, scores + slot);
        float* sum = row + width + slot % kSumParts;
        hn::Store(hn::Add(hn::Load(floats, sum), weight), floats, sum);
      }
    }
    return all;
  }

  void bend(float* HWY_RESTRICT scores) const {
    const Floats floats;
    const auto cap = hn::Set(floats, job_.soft_cap * kLog2E);
    for (std::size_t slot = 0; slot < kPageTokens; slot += kLanes) {
      const auto bent = hn::Tanh(floats, hn::Load(floats, scores + slot));
      hn::Store(hn::Mul(cap, bent), floats, scores + slot);
    }
  }

  const Attention& job_;
  const AttentionTile& tile_;
  std::uint32_t begin_;
  std::uint32_t n_;
  std::size_t stride_;  // of rows, in floats
  Seen seen_[kMostRows];
  HWY_ALIGN float queries_[kMostRowFloats];  // (whole_head, n), times the factor of scores
  HWY_ALIGN float weights_[kMostRows * kPageTokens];
  HWY_ALIGN float wide_[kPageTokens * kMaxHeadDim];  // a page's keys, then its values
};

/// Calls body(rows, first) for all rows of a tile, some at a time.
template <class Body>
HWY_INLINE void for_all_rows(const Attention& job, const AttentionTile& tile, const Body& body) {
  const std::uint32_t n_rows = (tile.token_end - tile.token_begin) * (job.n_heads / job.n_kv_heads);
  const auto most = static_cast<std::uint32_t>(
      std::min<std::size_t>(kMostRows, kMostRowFloats / whole_head(job.head_dim)));
  for (std::uint32_t begin = 0; begin < n_rows; begin += most) {
    Rows rows(job, tile, begin, std::min(most, n_rows - begin));
    body(rows, begin);
  }
}

void attend_tile(const Attention& job, const AttentionTile& tile) {
  const RunRange runs = runs_of(job, tile);
  for_all_rows(job, tile, [&](Rows& rows, std::uint32_t) HWY_ATTR {
    HWY_ALIGN float total[kMostRowFloats + kMostRows * kRowTail];
    rows.attend({runs.begin, runs.begin + 1}, total);
    for (std::uint32_t run = runs.begin + 1; run < runs.end; ++run) {
      HWY_ALIGN float left[kMostRowFloats + kMostRows * kRowTail];
      rows.attend({run, run + 1}, left);
      rows.join(left, total);
    }
    rows.write(total);
  });
}

void attend_tile_runs(const Attention& job, const AttentionTile& tile, RunRange runs, float* left) {
  const std::size_t n_floats = run_floats(job, tile);
  for_all_rows(job, tile, [&](Rows& rows, std::uint32_t first) HWY_ATTR {
    float* to = left + first * row_floats(job.head_dim);
    for (std::uint32_t run = runs.begin; run < runs.end; ++run, to += n_floats)
      rows.attend({run, run + 1}, to);
  });
}

void join_tile_runs(const Attention& job, const AttentionTile& tile, const float* left) {
  const std::size_t n_floats = run_floats(job, tile);
  const RunRange runs = runs_of(job, tile);
  for_all_rows(job, tile, [&](Rows& rows, std::uint32_t first) HWY_ATTR {
    const float* from = left + first * row_floats(job.head_dim);
    HWY_ALIGN float total[kMostRowFloats + kMostRows * kRowTail];
    std::copy_n(from, rows.size() * row_floats(job.head_dim), total);
    for (std::uint32_t run = runs.begin + 1; run < runs.end; ++run)
      rows.join(from += n_floats, total);
    rows.write(total);
  });
}

}  // namespace kinglet::inference::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kinglet::inference::cpu {

HWY_EXPORT(attend_tile);
HWY_EXPORT(attend_tile_runs);
HWY_EXPORT(join_tile_runs);

std::uint32_t attention_tile_tokens(std::uint32_t n_heads, std::uint32_t n_kv_heads) {
  return std::max(1U, kMostRows / (n_heads / n_kv_heads));
}

RunRange runs_of(const Attention& job, const AttentionTile& tile) {
  const std::uint32_t first_end = job.position + tile.token_begin + 1;
  const std::uint32_t window = job.sliding_window;
  const std::uint32_t begin = window != 0 && first_end > window ? first_end - window : 0;
  const std::uint32_t end = job.position + tile.token_end;
  return {begin / kRunTokens, (end + kRunTokens - 1) / kRunTokens};
}

std::size_t run_floats(const Attention& job, const AttentionTile& tile) {
  const std::size_t n_tokens = tile.token_end - tile.token_begin;
  return n_tokens * (job.n_heads / job.n_kv_heads) * row_floats(job.head_dim);
}

void attend(const Attention& job, const AttentionTile& tile) {
  HWY_DYNAMIC_DISPATCH(attend_tile)(job, tile);
}

void attend_runs(const Attention& job, const AttentionTile& tile, RunRange runs, float* left) {
  HWY_DYNAMIC_DISPATCH(attend_tile_runs)(job, tile, runs, left);
}

void join_runs(const Attention& job, const AttentionTile& tile, const float* left) {
  HWY_DYNAMIC_DISPATCH(join_tile_runs)(job, tile, left);
}

}  // namespace kinglet::inference::cpu
#endif
