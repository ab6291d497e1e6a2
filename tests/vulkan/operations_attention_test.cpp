// The paged cache and attention over it against the float64 reference.
#include "vulkan/operations.h"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/attention_cases.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/reference.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// f32 sums of up to some thousand terms, relative to the root mean square of the result.
constexpr double kTolerance = 2e-5;

}  // namespace

TEST_SUITE("vulkan/operations_attention") {
  TEST_CASE("attention sees what rope_store stored, through the page table") {
    LAB();
    using enum CacheType;
    // A driver that compiles for the CPU takes its time for each: not every shape for every type.
    const std::vector<CacheType> all = {kF32, kF16, kQ8_0, kQ4_0};
    struct Case {
      std::vector<CacheType> types;
      AttentionShape shape;
    };
    for (const auto& [types, shape] :
         {Case{{kF32, kF16}, {1, 1, 1, 8, 1, 1, 0}},
          {{kF16}, {4, 4, 8, 8, 13, 13, 0}},             // multi-head, from the start
          {all, {6, 2, 96, 32, 700, 1, 0}},              // one token, several splits
          {{kF16}, {6, 2, 96, 16, 70, 9, 0, 0, 8}},      // rows of several tokens
          {{kF16, kQ8_0}, {12, 1, 33, 8, 300, 3, 0}},    // odd head size, heads in tiles
          {all, {4, 2, 64, 32, 600, 2, 100}},            // a sliding window over splits
          {{kF16, kQ4_0}, {4, 2, 64, 32, 2'300, 1, 0}},  // splits in clusters
          {{kF16, kQ8_0}, {2, 1, 256, 16, 65, 5, 1}},
          {{kF32, kQ4_0}, {3, 3, 6, 24, 140, 40, 64}},
          {{kQ4_0}, {2, 2, 80, 16, 20, 3, 0}},
          {{kQ4_0}, {2, 1, 112, 16, 20, 3, 0}},
          {{kF32}, {4, 2, 32, 32, 290, 4, 40, 0.5F}}}) {
      for (const CacheType type : types) {
        // The layers' own code takes many times as long to compile.
        if (under_validation() && (type != types.front() || shape.rows > 2)) continue;
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.head_dim);
        CAPTURE(shape.n_positions);
        CHECK(attention_error(lab, type, shape) < kTolerance);
      }
    }
  }

  TEST_CASE("rope_store norms and turns heads, and stores what becomes of keys and values") {
    LAB();
    struct Shape {
      std::uint32_t n_heads, n_kv_heads, head_dim, n_rotated, page_tokens, n_tokens;
      RopeStyle style;
      bool has_norms;
    };
    for (const CacheType type :
         {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0, CacheType::kQ4_0}) {
      for (const Shape shape : {Shape{4, 2, 96, 96, 32, 5, RopeStyle::kNeox, false},
                                {3, 1, 128, 128, 8, 9, RopeStyle::kNeox, true},
                                {2, 2, 64, 48, 16, 3, RopeStyle::kInterleaved, true},
                                {1, 1, 2, 2, 8, 1, RopeStyle::kInterleaved, false},
                                {2, 1, 33, 20, 8, 40, RopeStyle::kNeox, false},
                                {2, 1, 256, 256, 32, 2, RopeStyle::kInterleaved, true}}) {
        if (under_validation() && type != CacheType::kQ4_0) continue;
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.head_dim);
        const std::size_t dim = shape.head_dim;
        const std::uint32_t row_stride = u32((shape.n_heads + 2 * shape.n_kv_heads) * dim + 3);
        const auto rows = random_floats(std::size_t{shape.n_tokens} * row_stride, 17);
        std::vector<float> query_norm = random_floats(dim, 18);
        std::vector<float> key_norm = random_floats(dim, 19);
        for (std::size_t i = 0; i < dim; ++i) {
          query_norm[i] = 1 + 0.1F * query_norm[i];
          key_norm[i] = 1 + 0.1F * key_norm[i];
        }
        constexpr std::uint32_t kFirst = 11;
        std::vector<std::uint32_t> positions(shape.n_tokens);
        std::iota(positions.begin(), positions.end(), kFirst);
        std::vector<float> table;
        for (std::size_t position = 0; position < kFirst + shape.n_tokens; ++position) {
          for (std::size_t pair = 0; pair < shape.n_rotated / 2; ++pair) {
            const double angle = reference::rope_angle(position, pair, shape.n_rotated);
            table.push_back(static_cast<float>(std::cos(angle)));
            table.push_back(static_cast<float>(std::sin(angle)));
          }
        }
        std::vector<std::uint32_t> pages((kFirst + shape.n_tokens) / shape.page_tokens + 1);
        std::iota(pages.begin(), pages.end(), 1U);
        std::shuffle(pages.begin(), pages.end(), std::mt19937(8));

        const auto rows_tensor = lab.tensor(rows);
        const auto query_norm_tensor = lab.tensor(query_norm);
        const auto key_norm_tensor = lab.tensor(key_norm);
        const auto positions_tensor = lab.tensor(positions);
        const auto table_tensor = lab.tensor(table);
        const auto pages_tensor = lab.tensor(pages);
        const std::size_t cache_bytes = (pages.size() + 1) * shape.page_tokens * shape.n_kv_heads *
                                        cache_row_bytes(type, shape.head_dim);
        const auto keys = lab.tensor(std::vector<std::byte>(cache_bytes));
        const auto values = lab.tensor(std::vector<std::byte>(cache_bytes));
        const PagedCache cache = {type,
                                  keys->address(),
                                  values->address(),
                                  pages_tensor->address(),
                                  shape.page_tokens,
                                  shape.n_kv_heads,
                                  shape.head_dim};
        const std::size_t first_key = shape.n_heads * dim;
        const std::size_t first_value = first_key + shape.n_kv_heads * dim;
        const Operations operations = operations_for(lab, cache, shape.n_heads);
        lab.run([&](Stream& stream) {
          operations.rope_store(stream,
                                {cache,
                                 rows_tensor->address(),
                                 rows_tensor->address() + first_key * sizeof(float),
                                 rows_tensor->address() + first_value * sizeof(float),
                                 shape.has_norms ? query_norm_tensor->address() : 0,
                                 shape.has_norms ? key_norm_tensor->address() : 0,
                                 positions_tensor->address(),
                                 table_tensor->address(),
                                 shape.style,
                                 shape.n_tokens,
                                 shape.n_heads,
                                 shape.n_rotated,
                                 row_stride,
                                 1e-5F});
        });

        // Queries, keys and values by token, head and element.
        const auto heads_of = [&](std::size_t first,
                                  std::size_t n_heads,
                                  const std::vector<float>& norm) {
          std::vector<double> heads;
          for (std::size_t t = 0; t < shape.n_tokens; ++t) {
            const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(t * row_stride + first);
            heads.insert(heads.end(), begin, begin + static_cast<std::ptrdiff_t>(n_heads * dim));
          }
          if (norm.empty()) return heads;
          if (shape.has_norms) heads = reference::rms_norm(heads, doubles(norm), 1e-5);
          const auto pairs = shape.style == RopeStyle::kNeox ? reference::Pairs::kHalves
                                                             : reference::Pairs::kNeighbors;
          reference::rope(pairs, heads, positions, n_heads, dim, shape.n_rotated, n_heads * dim);
          return heads;
        };
        const auto turned = lab.read<float>(*rows_tensor);
        std::vector<float> queries;
        for (std::size_t t = 0; t < shape.n_tokens; ++t) {
          const auto begin = turned.begin() + static_cast<std::ptrdiff_t>(t * row_stride);
          queries.insert(queries.end(), begin, begin + static_cast<std::ptrdiff_t>(first_key));
        }
        CHECK(worst_error(queries, heads_of(0, shape.n_heads, query_norm)) < kTolerance);
        const auto stored = [&](const Tensor& tensor) {
          auto heads = stored_heads(tensor, cache, pages, kFirst + shape.n_tokens);
          heads.erase(heads.begin(),
                      heads.begin() + static_cast<std::ptrdiff_t>(kFirst * shape.n_kv_heads * dim));
          return heads;
        };
        const auto as_floats = [](const std::vector<double>& numbers) {
          return std::vector<float>(numbers.begin(), numbers.end());
        };
        const double rounding = rounding_of(type) + 1e-6;
        CHECK(mean_error(as_floats(heads_of(first_key, shape.n_kv_heads, key_norm)),
                         stored(*keys)) <= rounding);
        CHECK(mean_error(as_floats(heads_of(first_value, shape.n_kv_heads, {})), stored(*values)) <=
              rounding);
      }
    }
  }

  TEST_CASE("tokens of several sequences each see their own pages") {
    LAB();
    // Three sequences of different lengths in one pass, a token each, against a pass for each
    // alone.
    constexpr std::uint32_t kHeads = 4;
    constexpr std::uint32_t kKvHeads = 2;
    constexpr std::uint32_t kHeadDim = 24;
    constexpr std::uint32_t kPage = 8;
    constexpr std::uint32_t kStride = 5;  // pages of a table
    constexpr std::uint32_t kRow = (kHeads + 2 * kKvHeads) * kHeadDim;
    const std::vector<std::uint32_t> lengths = {35, 1, 18};
    for (const CacheType type :
         {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0, CacheType::kQ4_0}) {
      CAPTURE(static_cast<int>(type));
      std::vector<std::uint32_t> tables(lengths.size() * kStride);
      std::iota(tables.begin(), tables.end(), 0U);
      std::shuffle(tables.begin(), tables.end(), std::mt19937(3));
      const auto pages = lab.tensor(tables);
      const std::size_t cache_bytes =
          tables.size() * kPage * kKvHeads * cache_row_bytes(type, kHeadDim);
      const auto keys = lab.empty(cache_bytes);
      const auto values = lab.empty(cache_bytes);
      PagedCache cache = {
          type, keys->address(), values->address(), pages->address(), kPage, kKvHeads, kHeadDim};
      const Operations operations = operations_for(lab, cache, kHeads);
      const auto store = [&](Stream& stream,
                             const PagedCache& own,
                             DeviceAddress row,
                             DeviceAddress position,
                             std::uint32_t n) {
        operations.rope_store(stream,
                              {.cache = own,
                               .keys = row + kHeads * kHeadDim * 4,
                               .values = row + (kHeads + kKvHeads) * kHeadDim * 4,
                               .positions = position,
                               .n_tokens = n,
                               .row_stride = kRow});
      };
      const auto table = [&](std::size_t sequence) {
        PagedCache own = cache;
        own.pages += sequence * kStride * sizeof(std::uint32_t);
        return own;
      };
      const auto rows_of = [&](std::uint32_t position, std::uint32_t sequence) {
        return random_floats(kRow, 1'000 * sequence + position);
      };
      std::vector<float> last_rows;
      std::vector<std::uint32_t> last_positions;
      for (std::uint32_t sequence = 0; sequence < lengths.size(); ++sequence) {
        std::vector<float> rows;
        std::vector<std::uint32_t> positions(lengths[sequence] - 1);
        std::iota(positions.begin(), positions.end(), 0U);
        for (const std::uint32_t position : positions) {
          const auto row = rows_of(position, sequence);
          rows.insert(rows.end(), row.begin(), row.end());
        }
        last_positions.push_back(lengths[sequence] - 1);
        const auto row = rows_of(last_positions.back(), sequence);
        last_rows.insert(last_rows.end(), row.begin(), row.end());
        if (positions.empty()) continue;
        const auto rows_tensor = lab.tensor(rows);
        const auto positions_tensor = lab.tensor(positions);
        lab.run([&](Stream& stream) {
          store(stream,
                table(sequence),
                rows_tensor->address(),
                positions_tensor->address(),
                u32(positions.size()));
        });
      }
      const auto rows = lab.tensor(last_rows);
      const auto positions = lab.tensor(last_positions);
      const auto attend = [&](const PagedCache& own, std::uint32_t first, std::uint32_t n) {
        const DeviceAddress row = rows->address() + std::uint64_t{first} * kRow * 4;
        const DeviceAddress position = positions->address() + first * 4;
        Attention op = {own, row, position, 0, 0, 0, n, kHeads, kRow, 36, 0, 0.2F, 0};
        const auto scratch = scratch_for(lab, op);
        const auto output = lab.empty(std::size_t{n} * kHeads * kHeadDim * 4);
        const auto counters = zeros(lab, attention_counters(op));
        op.scratch = scratch->address();
        op.counters = counters->address();
        op.output = output->address();
        lab.run([&](Stream& stream) {
          store(stream, own, row, position, n);
          stream.barrier();
          operations.attention(stream, op);
        });
        return lab.read<float>(*output);
      };
      cache.page_stride = kStride;
      const auto together = attend(cache, 0, u32(lengths.size()));
      std::vector<double> alone;
      for (std::uint32_t sequence = 0; sequence < lengths.size(); ++sequence) {
        PagedCache own = table(sequence);
        own.page_stride = 0;
        const auto one = attend(own, sequence, 1);
        alone.insert(alone.end(), one.begin(), one.end());
      }
      CHECK(worst_error(together, alone) < kTolerance);
    }
  }

  TEST_CASE("storing and attending at once is one after the other") {
    LAB();
    struct Shape {
      std::uint32_t n_heads, n_kv_heads, head_dim, n_rotated, n_positions;
      RopeStyle style;
      float soft_cap = 0;
    };
    for (const CacheType type :
         {CacheType::kF32, CacheType::kF16, CacheType::kQ8_0, CacheType::kQ4_0}) {
      // The last two: the new position has a split of its own, and is the only one.
      for (const Shape shape : {Shape{2, 2, 96, 96, 450, RopeStyle::kNeox},
                                {2, 1, 64, 48, 41, RopeStyle::kInterleaved},
                                {2, 1, 64, 48, 129, RopeStyle::kInterleaved, 2},
                                {2, 1, 64, 48, 1, RopeStyle::kInterleaved}}) {
        if (under_validation() && type != CacheType::kQ4_0) continue;
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.head_dim);
        const std::uint32_t n_pages = shape.n_positions / 32 + 1;
        const std::uint32_t row_stride = (shape.n_heads + 2 * shape.n_kv_heads) * shape.head_dim;
        const auto rows = random_floats(std::size_t{shape.n_positions} * row_stride, 23);
        std::vector<std::uint32_t> positions(shape.n_positions);
        std::iota(positions.begin(), positions.end(), 0U);
        std::vector<std::uint32_t> pages(n_pages);
        std::iota(pages.rbegin(), pages.rend(), 0U);
        std::vector<float> table;
        for (std::size_t i = 0; i < std::size_t{shape.n_positions} * shape.n_rotated / 2; ++i) {
          table.push_back(static_cast<float>(std::cos(static_cast<double>(i))));
          table.push_back(static_cast<float>(std::sin(static_cast<double>(i))));
        }
        const auto positions_tensor = lab.tensor(positions);
        const auto pages_tensor = lab.tensor(pages);
        const auto table_tensor = lab.tensor(table);
        const std::size_t cache_bytes =
            n_pages * 32 * shape.n_kv_heads * cache_row_bytes(type, shape.head_dim);
        std::vector<std::vector<float>> outputs;
        std::vector<std::vector<std::byte>> caches;
        for (const bool at_once : {false, true}) {
          const auto rows_tensor = lab.tensor(rows);
          const auto keys = lab.tensor(std::vector<std::byte>(cache_bytes));
          const auto values = lab.tensor(std::vector<std::byte>(cache_bytes));
          const PagedCache cache = {type,
                                    keys->address(),
                                    values->address(),
                                    pages_tensor->address(),
                                    32,
                                    shape.n_kv_heads,
                                    shape.head_dim};
          const Operations operations = operations_for(lab, cache, shape.n_heads);
          RopeStore store = {.cache = cache,
                             .queries = rows_tensor->address(),
                             .positions = positions_tensor->address(),
                             .table = table_tensor->address(),
                             .style = shape.style,
                             .n_tokens = shape.n_positions - 1,
                             .n_heads = shape.n_heads,
                             .n_rotated = shape.n_rotated,
                             .row_stride = row_stride};
          store.keys = store.queries + shape.n_heads * shape.head_dim * sizeof(float);
          store.values = store.keys + shape.n_kv_heads * shape.head_dim * sizeof(float);
          if (store.n_tokens > 0) {
            lab.run([&](Stream& stream) { operations.rope_store(stream, store); });
          }
          for (DeviceAddress* heads : {&store.queries, &store.keys, &store.values})
            *heads += std::uint64_t{store.n_tokens} * row_stride * sizeof(float);
          store.positions += store.n_tokens * sizeof(std::uint32_t);
          store.n_tokens = 1;
          Attention op = {.cache = cache,
                          .queries = store.queries,
                          .positions = store.positions,
                          .n_tokens = 1,
                          .n_heads = shape.n_heads,
                          .row_stride = row_stride,
                          .max_context = shape.n_positions,
                          .scale = 0.3F,
                          .soft_cap = shape.soft_cap};
          const auto scratch = scratch_for(lab, op);
          const auto counters = zeros(lab, attention_counters(op));
          const auto output =
              lab.empty(std::size_t{shape.n_heads} * shape.head_dim * sizeof(float));
          op.scratch = scratch->address();
          op.counters = counters->address();
          op.output = output->address();
          REQUIRE(operations.can_store_and_attend(store, op));
          lab.run([&](Stream& stream) {
            if (at_once) {
              operations.store_and_attend(stream, store, op);
              CHECK(stream.n_barriers() == 0);
            } else {
              operations.rope_store(stream, store);
              stream.barrier();
              operations.attention(stream, op);
            }
          });
          outputs.push_back(lab.read<float>(*output));
          for (const auto& tensor : {keys, values})
            caches.push_back(lab.read<std::byte>(*tensor));
        }
        CHECK(worst_error(outputs[1], doubles(outputs[0])) < kTolerance);
        CHECK(caches[0] == caches[2]);
        CHECK(caches[1] == caches[3]);
      }
    }
  }

  TEST_CASE("the whole context of 128k positions is seen, by one token and by many") {
    LAB();
    if (under_validation()) return;  // the layers' own loops count too
    const std::uint32_t n_positions = 131'072;
    const std::uint32_t head_dim = 16;
    const std::uint32_t n_heads = 2;
    const auto keys = random_floats(std::size_t{n_positions} * head_dim, 31);
    const auto values = random_floats(std::size_t{n_positions} * head_dim, 32);
    const auto keys_tensor = lab.tensor(keys);
    const auto values_tensor = lab.tensor(values);
    std::vector<std::uint32_t> pages(n_positions / 32);
    std::iota(pages.begin(), pages.end(), 0U);
    const auto pages_tensor = lab.tensor(pages);
    const PagedCache cache = {CacheType::kF32,
                              keys_tensor->address(),
                              values_tensor->address(),
                              pages_tensor->address(),
                              32,
                              1,
                              head_dim};
    const Operations operations = operations_for(lab, cache, n_heads);
    for (const std::uint32_t n_tokens : {1U, 20U}) {
      CAPTURE(n_tokens);
      const auto queries = random_floats(std::size_t{n_tokens} * n_heads * head_dim, 33);
      std::vector<std::uint32_t> positions(n_tokens);
      std::iota(positions.begin(), positions.end(), n_positions - n_tokens);
      const auto queries_tensor = lab.tensor(queries);
      const auto positions_tensor = lab.tensor(positions);
      Attention op = {.cache = cache,
                      .queries = queries_tensor->address(),
                      .positions = positions_tensor->address(),
                      .n_tokens = n_tokens,
                      .n_heads = n_heads,
                      .row_stride = n_heads * head_dim,
                      .max_context = n_positions,
                      .scale = 0.25F};
      const auto scratch = scratch_for(lab, op);
      const auto counters = zeros(lab, attention_counters(op));
      const auto output = lab.empty(queries.size() * sizeof(float));
      op.scratch = scratch->address();
      op.counters = counters->address();
      op.output = output->address();
      lab.run([&](Stream& stream) { operations.attention(stream, op); });
      const auto expected = reference::attention(doubles(queries),
                                                 doubles(keys),
                                                 doubles(values),
                                                 positions,
                                                 {n_heads, 1, head_dim, 0, 0.25, 0});
      CHECK(worst_error(lab.read<float>(*output), expected) < 1e-4);
    }
  }

  TEST_CASE("attention's longest split stays below the driver's loop limit") {
    LAB();
    if (under_validation()) return;  // the layers' own loops count too
    // So many tokens that one split covers all it may.
    const std::uint32_t n_tokens = 4'096;
    const std::uint32_t n_heads = 4;
    const std::uint32_t n_positions = 40'000;
    const std::uint32_t head_dim = 4;
    const auto keys = random_floats(std::size_t{n_positions} * n_heads * head_dim, 9);
    const auto values = random_floats(std::size_t{n_positions} * n_heads * head_dim, 10);
    const auto queries = random_floats(std::size_t{n_tokens} * n_heads * head_dim, 11);
    std::vector<std::uint32_t> positions(n_tokens, 0);
    positions.back() = n_positions - 1;
    // In the cache's one page head by head, for the reference position by position.
    const auto by_head = [&](const std::vector<float>& rows) {
      std::vector<float> result;
      for (std::size_t head = 0; head < n_heads; ++head) {
        for (std::size_t position = 0; position < n_positions; ++position) {
          const auto row =
              rows.begin() + static_cast<std::ptrdiff_t>((position * n_heads + head) * head_dim);
          result.insert(result.end(), row, row + head_dim);
        }
      }
      return result;
    };
    const auto keys_tensor = lab.tensor(by_head(keys));
    const auto values_tensor = lab.tensor(by_head(values));
    const auto queries_tensor = lab.tensor(queries);
    const auto positions_tensor = lab.tensor(positions);
    const auto pages = lab.tensor(std::vector<std::uint32_t>{0});
    const auto output = lab.empty(queries.size() * sizeof(float));
    Attention op = {{CacheType::kF32,
                     keys_tensor->address(),
                     values_tensor->address(),
                     pages->address(),
                     n_positions,
                     n_heads,
                     head_dim},
                    queries_tensor->address(),
                    positions_tensor->address(),
                    0,
                    0,
                    output->address(),
                    n_tokens,
                    n_heads,
                    n_heads * head_dim,
                    n_positions,
                    0,
                    0.5F};
    CHECK(attention_scratch_bytes(op) == 0);
    const auto counters = zeros(lab, attention_counters(op));
    op.counters = counters->address();
    const Operations operations = operations_for(lab, op.cache, op.n_heads);
    lab.run([&](Stream& stream) { operations.attention(stream, op); });
    const auto expected = reference::attention(doubles(queries),
                                               doubles(keys),
                                               doubles(values),
                                               positions,
                                               {n_heads, n_heads, head_dim, 0, 0.5, 0});
    CHECK(worst_error(lab.read<float>(*output), expected) < 1e-4);
  }
}
