#include "tests/vulkan/attention_cases.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <doctest/doctest.h>

#include "tests/support/reference_blocks.h"
#include "tests/vulkan/reference.h"

namespace kinglet::test {

using namespace vulkan;

namespace {

std::uint32_t gguf_type(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return 0;
    case CacheType::kF16:
      return 1;
    case CacheType::kQ8_0:
      return 8;
    case CacheType::kQ4_0:
      break;
  }
  return 2;
}

/// A row of a region (page, head), its blocks as they lie in a file: in the cache the scales of all
/// rows lie behind their quants.
std::vector<std::byte> stored_row(const Tensor& tensor,
                                  const PagedCache& cache,
                                  std::size_t region,
                                  std::size_t slot) {
  const std::size_t row_bytes = cache_row_bytes(cache.type, cache.head_dim);
  const auto bytes =
      tensor.bytes().subspan(region * cache.page_tokens * row_bytes, cache.page_tokens * row_bytes);
  std::vector<std::byte> row;
  const auto append = [&](std::size_t first, std::size_t n) {
    const auto part = bytes.subspan(first, n);
    row.insert(row.end(), part.begin(), part.end());
  };
  if (cache.type == CacheType::kF32 || cache.type == CacheType::kF16) {
    append(slot * row_bytes, row_bytes);
    return row;
  }
  const std::size_t n_blocks = (cache.head_dim + 31) / 32;
  const std::size_t quant_bytes = row_bytes / n_blocks - 2;
  const std::size_t scales = cache.page_tokens * n_blocks * quant_bytes;
  for (std::size_t block = slot * n_blocks; block < (slot + 1) * n_blocks; ++block) {
    append(scales + block * 2, 2);
    append(block * quant_bytes, quant_bytes);
  }
  return row;
}

}  // namespace

std::uint32_t u32(std::size_t value) {
  return static_cast<std::uint32_t>(value);
}

std::vector<double> stored_heads(const Tensor& tensor,
                                 const PagedCache& cache,
                                 const std::vector<std::uint32_t>& pages,
                                 std::size_t n_positions) {
  std::vector<double> heads;
  for (std::size_t position = 0; position < n_positions; ++position) {
    const std::size_t page = pages[position / cache.page_tokens];
    for (std::size_t head = 0; head < cache.n_kv_heads; ++head) {
      const auto row =
          stored_row(tensor, cache, page * cache.n_kv_heads + head, position % cache.page_tokens);
      std::vector<double> numbers = reference_dequantize(gguf_type(cache.type), row);
      // Behind the head lie zeros.
      for (std::size_t i = cache.head_dim; i < numbers.size(); ++i)
        CHECK(numbers[i] == 0);
      numbers.resize(cache.head_dim);
      if (cache.type == CacheType::kQ4_0) numbers = reference::unrotated(numbers);
      heads.insert(heads.end(), numbers.begin(), numbers.end());
    }
  }
  return heads;
}

double mean_error(const std::vector<float>& given, const std::vector<double>& stored) {
  REQUIRE(given.size() == stored.size());
  double differences = 0;
  double squares = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    differences += (given[i] - stored[i]) * (given[i] - stored[i]);
    squares += double{given[i]} * given[i];
  }
  return std::sqrt(differences / squares);
}

double rounding_of(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return 0;
    case CacheType::kF16:
      return 3e-4;
    case CacheType::kQ8_0:
      return 6e-3;
    case CacheType::kQ4_0:
      return 0.1;
  }
  return 0;
}

Operations operations_for(Lab& lab,
                          const PagedCache& cache,
                          std::uint32_t n_heads,
                          std::uint32_t attention_rows,
                          ProductPath path) {
  return lab.operations(
      Formats{.weights = {},
              .caches = {cache.type},
              .product_path = path,
              .heads = {{cache.head_dim, n_heads / cache.n_kv_heads, cache.page_tokens}},
              .attention_rows = attention_rows});
}

std::shared_ptr<Tensor> scratch_for(Lab& lab, const Attention& op) {
  return lab.empty(std::max<std::size_t>(attention_scratch_bytes(op), 4));
}

std::shared_ptr<Tensor> zeros(Lab& lab, std::size_t n) {
  return lab.tensor(std::vector<std::uint32_t>(n));
}

double attention_error(Lab& lab, CacheType type, const AttentionShape& shape, ProductPath path) {
  // Rows hold queries, keys and values side by side, as a fused projection leaves them.
  const std::size_t q_width = std::size_t{shape.n_heads} * shape.head_dim;
  const std::size_t kv_width = std::size_t{shape.n_kv_heads} * shape.head_dim;
  const std::size_t row_stride = q_width + 2 * kv_width;
  auto rows = random_floats(shape.n_positions * row_stride, 7);
  for (std::size_t head = 0; head < rows.size(); head += shape.head_dim) {
    const std::size_t in_row = head % row_stride;
    if (in_row < q_width + kv_width)
      rows[head + shape.head_dim / 3] += shape.outlier * (in_row < q_width ? 0.1F : 1.0F);
  }
  std::vector<std::uint32_t> positions(shape.n_positions);
  std::iota(positions.begin(), positions.end(), 0U);
  const std::uint32_t n_pages = shape.n_positions / shape.page_tokens + 1;
  std::vector<std::uint32_t> pages(n_pages);
  std::iota(pages.begin(), pages.end(), 2U);  // the cache has pages that are not ours
  std::shuffle(pages.begin(), pages.end(), std::mt19937(8));

  const auto rows_tensor = lab.tensor(rows);
  const auto positions_tensor = lab.tensor(positions);
  const auto pages_tensor = lab.tensor(pages);
  const std::size_t cache_bytes =
      (n_pages + 2) * shape.page_tokens * shape.n_kv_heads * cache_row_bytes(type, shape.head_dim);
  const auto keys = lab.empty(cache_bytes);
  const auto values = lab.empty(cache_bytes);
  const PagedCache cache = {type,
                            keys->address(),
                            values->address(),
                            pages_tensor->address(),
                            shape.page_tokens,
                            shape.n_kv_heads,
                            shape.head_dim};
  const Operations operations = operations_for(lab, cache, shape.n_heads, shape.rows, path);
  const std::size_t first = shape.n_positions - shape.n_tokens;
  Attention attention = {cache,
                         rows_tensor->address() + first * row_stride * sizeof(float),
                         positions_tensor->address() + first * sizeof(std::uint32_t),
                         0,
                         0,
                         0,
                         shape.n_tokens,
                         shape.n_heads,
                         u32(row_stride),
                         shape.n_positions,
                         shape.window,
                         1.0F / std::sqrt(static_cast<float>(shape.head_dim)),
                         shape.soft_cap};
  const auto scratch = scratch_for(lab, attention);
  const auto output = lab.empty(shape.n_tokens * q_width * sizeof(float));
  attention.scratch = scratch->address();
  const auto counters = zeros(lab, attention_counters(attention));
  attention.output = output->address();
  attention.counters = counters->address();
  lab.run([&](Stream& stream) {
    operations.rope_store(stream,
                          {.cache = cache,
                           .keys = rows_tensor->address() + q_width * sizeof(float),
                           .values = rows_tensor->address() + (q_width + kv_width) * sizeof(float),
                           .positions = positions_tensor->address(),
                           .n_tokens = shape.n_positions,
                           .row_stride = u32(row_stride)});
    stream.barrier();
    operations.attention(stream, attention);
  });
  for (const std::uint32_t counter : lab.read<std::uint32_t>(*counters))
    CHECK(counter == 0);

  std::vector<double> q;
  std::vector<float> k_given;
  std::vector<float> v_given;
  for (std::size_t p = 0; p < shape.n_positions; ++p) {
    for (std::size_t i = 0; i < row_stride; ++i) {
      const float value = rows[p * row_stride + i];
      if (i >= q_width + kv_width) {
        v_given.push_back(value);
      } else if (i >= q_width) {
        k_given.push_back(value);
      } else if (p >= first) {
        q.push_back(value);
      }
    }
  }
  // Rounded as it should be, and then taken as it is.
  const auto k = stored_heads(*keys, cache, pages, shape.n_positions);
  const auto v = stored_heads(*values, cache, pages, shape.n_positions);
  CHECK(mean_error(k_given, k) <= rounding_of(type));
  CHECK(mean_error(v_given, v) <= rounding_of(type));
  const auto expected = reference::attention(
      q,
      k,
      v,
      {positions.begin() + static_cast<std::ptrdiff_t>(first), positions.end()},
      {shape.n_heads,
       shape.n_kv_heads,
       shape.head_dim,
       shape.window,
       attention.scale,
       shape.soft_cap});
  return worst_error(lab.read<float>(*output), expected);
}

}  // namespace kinglet::test
