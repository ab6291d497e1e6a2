#include "inference/cpu/attention_split.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "inference/cpu/thread_pool.h"
#include "inference/rotation.h"
#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

namespace {

using inference::HyperParameters;
using inference::KvFormat;
using inference::PageId;
using inference::cpu::Attention;
using inference::cpu::KvStore;

struct Shape {
  std::uint32_t n_heads;
  std::uint32_t n_kv_heads;
  std::uint32_t head_dim;
  std::uint32_t position;  // tokens already in the cache
  std::uint32_t n_tokens;
  std::uint32_t sliding_window = 0;
  float soft_cap = 0;
  float scale = 0;  // 0: 1 / sqrt(head_dim)
};

/// What the format keeps of each head's vector.
void round_heads(std::vector<float>& heads, std::uint32_t head_dim, KvFormat format) {
  const inference::BlockFormat& blocks = inference::block_format_of(format);
  std::vector<std::byte> bytes(inference::kv_row_bytes(format, head_dim));
  std::vector<float> row(bytes.size() / blocks.block_bytes * blocks.block_elements);
  for (std::size_t at = 0; at < heads.size(); at += head_dim) {
    const std::span<float> head(heads.data() + at, head_dim);
    if (is_rotated(format)) inference::rotate(head);
    std::fill(row.begin(), row.end(), 0.0F);
    std::copy(head.begin(), head.end(), row.begin());
    blocks.quantize(row, bytes);
    blocks.dequantize(bytes, row);
    std::copy_n(row.begin(), head_dim, head.begin());
    if (is_rotated(format)) inference::unrotate(head);
  }
}

/// A cache with random keys and values, random queries, and what float64 makes of them.
struct Case {
  Case(Shape the_shape, KvFormat format) : shape(the_shape) {
    HyperParameters h;
    h.n_layers = 2;
    h.n_kv_heads = shape.n_kv_heads;
    h.head_dim = shape.head_dim;
    const std::uint32_t n_positions = shape.position + shape.n_tokens;
    const std::uint32_t n_pages = inference::pages_for(n_positions);
    auto created = KvStore::create(h, format, n_pages + 1);
    REQUIRE(created.has_value());
    store = std::make_unique<KvStore>(std::move(*created));
    // Old bytes beyond the sequence's end must not matter: fill everything with NaN.
    std::memset(store->keys(PageId{0}, 0, 0), 0xff, store->n_bytes());
    for (std::uint32_t page = n_pages; page > 0; --page)
      pages.push_back(PageId{page});

    RandomFloats random(shape.head_dim * 7 + n_positions);
    const std::size_t n_kv = std::size_t{shape.n_kv_heads} * shape.head_dim;
    std::vector<std::vector<float>> keys;
    std::vector<std::vector<float>> values;
    for (std::uint32_t position = 0; position < n_positions; ++position) {
      keys.push_back(random.take(n_kv, 2.0F));
      values.push_back(random.take(n_kv));
      write(position, keys.back().data(), values.back().data());
      round_heads(keys.back(), shape.head_dim, format);
      round_heads(values.back(), shape.head_dim, format);
    }
    queries = random.take(std::size_t{shape.n_tokens} * shape.n_heads * shape.head_dim, 3.0F);

    for (std::uint32_t token = 0; token < shape.n_tokens; ++token) {
      const std::uint32_t last = shape.position + token;
      const std::uint32_t window = shape.sliding_window;
      const std::uint32_t first = window != 0 && last >= window ? last - window + 1 : 0;
      for (std::uint32_t head = 0; head < shape.n_heads; ++head) {
        const float* query = &queries[(std::size_t{token} * shape.n_heads + head) * shape.head_dim];
        const std::size_t kv =
            std::size_t{head / (shape.n_heads / shape.n_kv_heads)} * shape.head_dim;
        std::vector<double> weights;
        for (std::uint32_t at = first; at <= last; ++at) {
          double dot = 0;
          for (std::uint32_t d = 0; d < shape.head_dim; ++d) {
            dot += double{query[d]} * keys[at][kv + d];
          }
          const double score = dot * scale();
          const double cap = shape.soft_cap;
          weights.push_back(cap != 0 ? cap * std::tanh(score / cap) : score);
        }
        const double greatest = *std::max_element(weights.begin(), weights.end());
        double total = 0;
        for (double& weight : weights)
          total += weight = std::exp(weight - greatest);
        for (std::uint32_t d = 0; d < shape.head_dim; ++d) {
          double sum = 0;
          for (std::uint32_t at = first; at <= last; ++at) {
            sum += weights[at - first] / total * values[at][kv + d];
          }
          expected.push_back(sum);
        }
      }
    }
  }

  void write(std::uint32_t position, const float* keys, const float* values) const {
    for (std::uint32_t head = 0; head < shape.n_kv_heads; ++head) {
      const std::size_t offset = std::size_t{head} * shape.head_dim;
      store->write(pages[position / inference::kPageTokens],
                   1,
                   head,
                   {.slot = position % inference::kPageTokens,
                    .n_tokens = 1,
                    .head_dim = shape.head_dim,
                    .keys = keys + offset,
                    .values = values + offset,
                    .stride = 0});
    }
  }

  float scale() const {
    return shape.scale != 0 ? shape.scale : 1 / std::sqrt(static_cast<float>(shape.head_dim));
  }

  Attention job(std::vector<float>& out) const {
    out.assign(expected.size(), std::numeric_limits<float>::quiet_NaN());
    const std::size_t stride = std::size_t{shape.n_heads} * shape.head_dim;
    return Attention{
        .store = store.get(),
        .pages = pages,
        .layer = 1,
        .head_dim = shape.head_dim,
        .n_heads = shape.n_heads,
        .n_kv_heads = shape.n_kv_heads,
        .sliding_window = shape.sliding_window,
        .scale = scale(),
        .soft_cap = shape.soft_cap,
        .position = shape.position,
        .queries = queries.data(),
        .query_stride = stride,
        .out = out.data(),
        .out_stride = stride,
    };
  }

  Shape shape;
  std::unique_ptr<KvStore> store;
  std::vector<PageId> pages;
  std::vector<float> queries;
  std::vector<double> expected;
};

}  // namespace

TEST_SUITE("inference/cpu/attention") {
  TEST_CASE("attention is that of float64 over the stored keys and values") {
    const Shape shapes[] = {
        {1, 1, 2, 0, 1},                    // the first token of all
        {4, 4, 64, 0, 33},                  // every head its own keys; one past a page
        {6, 2, 96, 31, 5},                  // groups of three; across a page's end
        {8, 1, 20, 100, 3},                 // all heads share; no whole vectors
        {3, 3, 7, 70, 1},                   // decode, odd
        {2, 1, 512, 64, 2},                 // the longest heads
        {4, 2, 32, 0, 70, 1},               // a window of the token itself
        {4, 2, 32, 90, 10, 33},             // a window across pages
        {4, 2, 16, 5, 40, 400},             // a window longer than the sequence
        {4, 2, 32, 40, 9, 0, 2.0F},         // scores bent hard
        {3, 1, 18, 33, 6, 12, 50.0F},       // hardly bent, in a window
        {2, 2, 48, 10, 30, 0, 0.0F, 0.3F},  // a scale of its own
    };
    for (const KvFormat format : inference::all_kv_formats()) {
      CAPTURE(inference::name_of(format));
      for (const Shape& shape : shapes) {
        CAPTURE(shape.head_dim);
        CAPTURE(shape.position);
        CAPTURE(shape.sliding_window);
        const Case input(shape, format);
        for_each_simd_target([&] {
          std::vector<float> out;
          const Attention job = input.job(out);
          for (std::uint32_t head = 0; head < shape.n_kv_heads; ++head) {
            attend(job, {head, 0, shape.n_tokens});
          }
          CHECK(largest_error(out, input.expected) < 3e-6);
        });
      }
    }
  }

  TEST_CASE("a token's attention has the same bits whatever tokens come with it") {
    for (const KvFormat format : inference::all_kv_formats()) {
      CAPTURE(inference::name_of(format));
      for (const std::uint32_t position : {40U, 1010U}) {  // within a run, and across its end
        CAPTURE(position);
        const Case input({6, 2, 24, position, 21, 50}, format);
        for_each_simd_target([&] {
          std::vector<float> whole;
          const Attention job = input.job(whole);
          std::vector<float> parts;
          const Attention same = input.job(parts);
          for (std::uint32_t head = 0; head < 2; ++head) {
            attend(job, {head, 0, 21});
            for (std::uint32_t token = 0; token < 21; ++token)
              attend(same, {head, token, token + 1});
          }
          CHECK(whole == parts);
        });
      }
    }
  }

  TEST_CASE("attention has the same bits however many threads share it") {
    const Shape shapes[] = {
        {4, 1, 32, 4100, 1},        // decode: one KV head, five runs of the context
        {6, 2, 80, 2040, 11},       // across a run's end
        {2, 2, 16, 3000, 2, 1500},  // a window that begins within a run
        {3, 1, 24, 1000, 60, 20},   // whose first tokens see a run that the last ones do not
    };
    for (const KvFormat format : inference::all_kv_formats()) {
      CAPTURE(inference::name_of(format));
      for (const Shape& shape : shapes) {
        CAPTURE(shape.position);
        const Case input(shape, format);
        for_each_simd_target([&] {
          std::vector<float> alone;
          const Attention job = input.job(alone);
          for (std::uint32_t head = 0; head < shape.n_kv_heads; ++head)
            attend(job, {head, 0, shape.n_tokens});
          CHECK(largest_error(alone, input.expected) < 3e-6);
          for (std::uint32_t n_threads = 1; n_threads <= 4; ++n_threads) {
            CAPTURE(n_threads);
            inference::cpu::ThreadPool pool(n_threads);
            inference::cpu::AttentionSplit split;
            for (int round = 0; round < 2; ++round) {
              std::vector<float> shared;
              split.clear();
              split.add(input.job(shared), 0, shape.n_tokens);
              const std::uint32_t n_items = split.cut(n_threads);
              if (n_threads > 1) CHECK(n_items > shape.n_kv_heads);
              pool.for_each(n_items,
                            [&](std::uint32_t item, std::uint32_t) { split.attend(item); });
              CHECK(alone == shared);
            }
          }
        });
      }
    }
  }

  TEST_CASE("numbers that are not finite stay visible in quantized rows") {
    for (const KvFormat format : {KvFormat::kQ8_0, KvFormat::kQ4_0}) {
      const Case input({1, 1, 40, 0, 1}, format);
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> row(40, 1.0F);
        row[33] = bad;
        input.write(0, row.data(), row.data());
        std::vector<float> out;
        attend(input.job(out), {0, 0, 1});
        CHECK(std::isnan(out[0]));
      }
    }
  }
}

}  // namespace kinglet::test
