// Every kernel against the float64 reference, on random and odd shapes.
#include "vulkan/operations.h"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/reference.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// f32 sums of up to some thousand terms, relative to the root mean square of the result.
constexpr double kTolerance = 2e-5;

#define LAB()                                                        \
  Lab* const lab_ = Lab::get();                                      \
  if (lab_ == nullptr) SKIP("no software Vulkan driver (llvmpipe)"); \
  Lab& lab = *lab_

struct Weights {
  std::vector<std::byte> bytes;  // as in a GGUF file
  std::vector<double> elements;  // what they stand for
};

Weights random_weights(WeightType type, std::size_t n, std::uint32_t seed) {
  Weights weights;
  const auto put = [&](const auto& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    weights.bytes.insert(weights.bytes.end(), bytes.begin(), bytes.end());
  };
  if (type == WeightType::kF32 || type == WeightType::kF16) {
    for (const float value : random_floats(n, seed)) {
      if (type == WeightType::kF32) {
        put(value);
        weights.elements.push_back(value);
      } else {
        put(reference::to_f16(value));
        weights.elements.push_back(reference::from_f16(reference::to_f16(value)));
      }
    }
    return weights;
  }
  std::mt19937 generator(seed);
  for (std::size_t block = 0; block < n / 32; ++block) {
    // Scales of either sign; some subnormal in f16, as tiny weights have them.
    const auto magnitude = static_cast<std::uint16_t>(
        block % 5 == 4 ? generator() % 1'024 : 0x2000 + generator() % 0x800);
    put(static_cast<std::uint16_t>(magnitude | (generator() % 2 << 15)));
    for (std::uint32_t i = 0; i < block_bytes(type) - 2; ++i) {
      put(static_cast<std::uint8_t>(generator()));
    }
  }
  weights.elements = type == WeightType::kQ8_0 ? reference::dequantize_q8_0(weights.bytes)
                                               : reference::dequantize_q4_0(weights.bytes);
  return weights;
}

constexpr WeightType kWeightTypes[] = {
    WeightType::kF32, WeightType::kF16, WeightType::kQ8_0, WeightType::kQ4_0};

std::uint32_t u32(std::size_t value) {
  return static_cast<std::uint32_t>(value);
}

struct MulMatShape {
  std::uint32_t n_rows;
  std::uint32_t n_columns;
  std::uint32_t n_tokens;
};

enum class MulMatKernel { kVec, kTiled };

double mul_mat_error(Lab& lab, MulMatKernel kernel, WeightType type, const MulMatShape& shape) {
  const Weights weights = random_weights(type, std::size_t{shape.n_rows} * shape.n_columns, 1);
  const auto input = random_floats(std::size_t{shape.n_tokens} * shape.n_columns, 2);
  const auto weights_tensor = lab.tensor(weights.bytes);
  const auto input_tensor = lab.tensor(input);
  const auto output = lab.empty(std::size_t{shape.n_tokens} * shape.n_rows * sizeof(float));
  const MulMat op = {{type, weights_tensor->address(), shape.n_rows, shape.n_columns},
                     input_tensor->address(),
                     output->address(),
                     shape.n_tokens};
  lab.run([&](Stream& stream) {
    if (kernel == MulMatKernel::kVec) {
      lab.operations().mul_mat_vec(stream, op);
    } else {
      lab.operations().mul_mat_tiled(stream, op);
    }
  });
  return worst_error(lab.read<float>(*output),
                     reference::mul_mat(weights.elements, doubles(input), shape.n_columns));
}

}  // namespace

TEST_SUITE("vulkan/operations") {
  TEST_CASE("operations use every kernel of the table") {
    LAB();
    CHECK(lab.operations().n_kernels() == all_kernels().size());
  }

  TEST_CASE("get_rows takes the tokens' rows in every block format") {
    LAB();
    for (const WeightType type : kWeightTypes) {
      for (const std::uint32_t n_columns : {32U, 96U, 160U}) {
        CAPTURE(static_cast<int>(type));
        CAPTURE(n_columns);
        const std::uint32_t n_vocab = 11;
        const Weights table = random_weights(type, std::size_t{n_vocab} * n_columns, 3);
        const std::vector<std::uint32_t> ids = {10, 0, 3, 3, 7};
        const auto table_tensor = lab.tensor(table.bytes);
        const auto ids_tensor = lab.tensor(ids);
        const auto output = lab.empty(ids.size() * n_columns * sizeof(float));
        lab.run([&](Stream& stream) {
          lab.operations().get_rows(stream,
                                    {{type, table_tensor->address(), n_vocab, n_columns},
                                     ids_tensor->address(),
                                     u32(ids.size()),
                                     output->address()});
        });
        std::vector<double> expected;
        for (const std::uint32_t id : ids) {
          const auto row = table.elements.begin() + id * n_columns;
          expected.insert(expected.end(), row, row + n_columns);
        }
        CHECK(worst_error(lab.read<float>(*output), expected) < 1e-6);
      }
    }
  }

  TEST_CASE("get_rows takes rows of any length where blocks are elements") {
    LAB();
    for (const WeightType type : {WeightType::kF32, WeightType::kF16}) {
      const Weights table = random_weights(type, 3 * 7, 3);
      const auto table_tensor = lab.tensor(table.bytes);
      const auto ids = lab.tensor(std::vector<std::uint32_t>{2});
      const auto output = lab.empty(7 * sizeof(float));
      lab.run([&](Stream& stream) {
        lab.operations().get_rows(
            stream, {{type, table_tensor->address(), 3, 7}, ids->address(), 1, output->address()});
      });
      const std::vector<double> expected(table.elements.end() - 7, table.elements.end());
      CHECK(worst_error(lab.read<float>(*output), expected) < 1e-6);
    }
  }

  TEST_CASE("mul_mat_vec multiplies every block format") {
    LAB();
    for (const WeightType type : kWeightTypes) {
      for (const MulMatShape shape : {MulMatShape{1, 32, 1},
                                      {3, 64, 1},
                                      {4, 96, 2},
                                      {33, 256, 1},
                                      {9, 288, 5},
                                      {130, 1'024, 1}}) {
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.n_rows);
        CAPTURE(shape.n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kVec, type, shape) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat_vec takes rows of any length where blocks are elements") {
    LAB();
    for (const WeightType type : {WeightType::kF32, WeightType::kF16}) {
      for (const std::uint32_t n_columns : {1U, 2U, 3U, 7U, 63U, 257U, 1'023U}) {
        CAPTURE(n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kVec, type, {5, n_columns, 2}) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat multiplies every block format in tiles") {
    LAB();
    for (const WeightType type : kWeightTypes) {
      for (const MulMatShape shape :
           {MulMatShape{1, 32, 1}, {31, 64, 33}, {32, 32, 32}, {33, 96, 31}, {70, 288, 65}}) {
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.n_rows);
        CAPTURE(shape.n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kTiled, type, shape) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat takes rows of any length where blocks are elements") {
    LAB();
    for (const WeightType type : {WeightType::kF32, WeightType::kF16}) {
      for (const std::uint32_t n_columns : {1U, 2U, 3U, 31U, 33U, 65U, 130U}) {
        CAPTURE(n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kTiled, type, {35, n_columns, 7}) < kTolerance);
      }
    }
  }

  TEST_CASE("the longest rows stay below the driver's loop limit") {
    LAB();
    if (under_validation()) return;  // the layers' own loops count too
    for (const MulMatKernel kernel : {MulMatKernel::kVec, MulMatKernel::kTiled}) {
      CHECK(mul_mat_error(lab, kernel, WeightType::kF16, {2, kMaxColumns, 2}) < 1e-4);
    }
  }

  TEST_CASE("more workgroups than one grid axis holds are folded") {
    LAB();
    if (under_validation()) return;  // minutes there, and nothing that smaller grids do not show
    const std::uint32_t n_rows = lab.device().info().max_group_count * 4 + 5;
    if (n_rows > 1'000'000) SKIP("this device's grids have no small limit");
    CHECK(mul_mat_error(lab, MulMatKernel::kVec, WeightType::kF32, {n_rows, 1, 1}) < kTolerance);
  }

  TEST_CASE("rms_norm normalizes rows of any length, also in place") {
    LAB();
    for (const auto& [n_rows, n_columns] :
         {std::pair{1U, 1U}, {3U, 7U}, {2U, 255U}, {5U, 256U}, {2U, 1'025U}}) {
      CAPTURE(n_columns);
      const auto input = random_floats(std::size_t{n_rows} * n_columns, 4);
      const auto weight = random_floats(n_columns, 5);
      const auto in = lab.tensor(input);
      const auto weight_tensor = lab.tensor(weight);
      const auto output = lab.empty(input.size() * sizeof(float));
      RmsNorm op = {
          in->address(), weight_tensor->address(), output->address(), n_rows, n_columns, 1e-5F};
      lab.run([&](Stream& stream) { lab.operations().rms_norm(stream, op); });
      const auto expected = reference::rms_norm(doubles(input), doubles(weight), 1e-5F);
      CHECK(worst_error(lab.read<float>(*output), expected) < 1e-6 * 5);
      op.output = op.input;
      lab.run([&](Stream& stream) { lab.operations().rms_norm(stream, op); });
      CHECK(lab.read<float>(*in) == lab.read<float>(*output));
    }
  }

  TEST_CASE("rope_neox turns the pairs of each head and leaves the rest") {
    LAB();
    struct Shape {
      std::size_t n_heads, head_dim, n_rotated, extra;
    };
    for (const Shape shape : {Shape{1, 2, 2, 0}, {3, 8, 6, 5}, {6, 96, 96, 40}, {2, 64, 32, 0}}) {
      CAPTURE(shape.head_dim);
      const std::size_t row_stride = shape.n_heads * shape.head_dim + shape.extra;
      const std::vector<std::uint32_t> positions = {0, 1, 17, 300};
      std::vector<float> table;
      for (std::size_t position = 0; position <= 300; ++position) {
        for (std::size_t pair = 0; pair < shape.n_rotated / 2; ++pair) {
          const double angle = reference::rope_angle(position, pair, shape.n_rotated);
          table.push_back(static_cast<float>(std::cos(angle)));
          table.push_back(static_cast<float>(std::sin(angle)));
        }
      }
      const auto heads = random_floats(positions.size() * row_stride, 6);
      const auto heads_tensor = lab.tensor(heads);
      const auto positions_tensor = lab.tensor(positions);
      const auto table_tensor = lab.tensor(table);
      lab.run([&](Stream& stream) {
        lab.operations().rope_neox(stream,
                                   {heads_tensor->address(),
                                    positions_tensor->address(),
                                    table_tensor->address(),
                                    u32(positions.size()),
                                    u32(shape.n_heads),
                                    u32(shape.head_dim),
                                    u32(shape.n_rotated),
                                    u32(row_stride)});
      });
      auto expected = doubles(heads);
      reference::rope_neox(
          expected, positions, shape.n_heads, shape.head_dim, shape.n_rotated, row_stride);
      CHECK(worst_error(lab.read<float>(*heads_tensor), expected) < 1e-6);
    }
  }

  TEST_CASE("attention sees what cache_write stored, through the page table") {
    LAB();
    struct Shape {
      std::uint32_t n_heads, n_kv_heads, head_dim, page_tokens, n_positions, n_tokens, window;
    };
    for (const CacheType type : {CacheType::kF32, CacheType::kF16}) {
      for (const Shape shape :
           {Shape{1, 1, 1, 1, 1, 1, 0},
            {4, 4, 8, 4, 13, 13, 0},      // multi-head, from the start
            {6, 2, 96, 16, 70, 9, 0},     // grouped queries, head size 96
            {5, 1, 33, 8, 300, 3, 0},     // multi-query, odd head size
            {4, 2, 64, 32, 600, 2, 100},  // a sliding window over several splits
            {2, 1, 256, 16, 65, 5, 1},
            {3, 3, 6, 7, 140, 40, 64}}) {
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.head_dim);
        CAPTURE(shape.n_positions);
        // Rows hold queries, keys and values side by side, as a fused projection leaves them.
        const std::size_t q_width = std::size_t{shape.n_heads} * shape.head_dim;
        const std::size_t kv_width = std::size_t{shape.n_kv_heads} * shape.head_dim;
        const std::size_t row_stride = q_width + 2 * kv_width;
        const auto rows = random_floats(shape.n_positions * row_stride, 7);
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
            (n_pages + 2) * shape.page_tokens * kv_width * element_bytes(type);
        const auto keys = lab.empty(cache_bytes);
        const auto values = lab.empty(cache_bytes);
        const PagedCache cache = {type,
                                  keys->address(),
                                  values->address(),
                                  pages_tensor->address(),
                                  shape.page_tokens,
                                  shape.n_kv_heads,
                                  shape.head_dim};
        const std::size_t first = shape.n_positions - shape.n_tokens;
        Attention attention = {cache,
                               rows_tensor->address() + first * row_stride * sizeof(float),
                               positions_tensor->address() + first * sizeof(std::uint32_t),
                               0,
                               0,
                               shape.n_tokens,
                               shape.n_heads,
                               u32(row_stride),
                               shape.n_positions,
                               shape.window,
                               1.0F / std::sqrt(static_cast<float>(shape.head_dim))};
        const auto scratch = lab.empty(attention_scratch_bytes(attention));
        const auto output = lab.empty(shape.n_tokens * q_width * sizeof(float));
        attention.scratch = scratch->address();
        attention.output = output->address();
        lab.run([&](Stream& stream) {
          lab.operations().cache_write(
              stream,
              {cache,
               rows_tensor->address() + q_width * sizeof(float),
               rows_tensor->address() + (q_width + kv_width) * sizeof(float),
               positions_tensor->address(),
               shape.n_positions,
               u32(row_stride)});
          stream.barrier();
          lab.operations().attention(stream, attention);
        });

        std::vector<double> q;
        std::vector<double> k;
        std::vector<double> v;
        const auto stored = [&](float value) {
          return type == CacheType::kF32 ? value : reference::from_f16(reference::to_f16(value));
        };
        for (std::size_t p = 0; p < shape.n_positions; ++p) {
          for (std::size_t i = 0; i < row_stride; ++i) {
            const float value = rows[p * row_stride + i];
            if (i >= q_width + kv_width) {
              v.push_back(stored(value));
            } else if (i >= q_width) {
              k.push_back(stored(value));
            } else if (p >= first) {
              q.push_back(value);
            }
          }
        }
        const auto expected = reference::attention(
            q,
            k,
            v,
            {positions.begin() + static_cast<std::ptrdiff_t>(first), positions.end()},
            {shape.n_heads, shape.n_kv_heads, shape.head_dim, shape.window, attention.scale});
        CHECK(worst_error(lab.read<float>(*output), expected) < kTolerance);
      }
    }
  }

  TEST_CASE("attention's longest split stays below the driver's loop limit") {
    LAB();
    if (under_validation()) return;  // the layers' own loops count too
    // So many tokens that one split covers all it may.
    const std::uint32_t n_tokens = 1'024;
    const std::uint32_t n_positions = 6'400;
    const std::uint32_t head_dim = 4;
    const auto keys = random_floats(std::size_t{n_positions} * head_dim, 9);
    const auto values = random_floats(std::size_t{n_positions} * head_dim, 10);
    const auto queries = random_floats(std::size_t{n_tokens} * head_dim, 11);
    std::vector<std::uint32_t> positions(n_tokens, 0);
    positions.back() = n_positions - 1;
    const auto keys_tensor = lab.tensor(keys);
    const auto values_tensor = lab.tensor(values);
    const auto queries_tensor = lab.tensor(queries);
    const auto positions_tensor = lab.tensor(positions);
    const auto pages = lab.tensor(std::vector<std::uint32_t>{0});
    const auto output = lab.empty(queries.size() * sizeof(float));
    Attention op = {{CacheType::kF32,
                     keys_tensor->address(),
                     values_tensor->address(),
                     pages->address(),
                     n_positions,
                     1,
                     head_dim},
                    queries_tensor->address(),
                    positions_tensor->address(),
                    0,
                    output->address(),
                    n_tokens,
                    1,
                    head_dim,
                    n_positions,
                    0,
                    0.5F};
    const auto scratch = lab.empty(attention_scratch_bytes(op));
    op.scratch = scratch->address();
    CHECK(scratch->size() == n_tokens * (head_dim + 2) * sizeof(float));
    lab.run([&](Stream& stream) { lab.operations().attention(stream, op); });
    const auto expected = reference::attention(
        doubles(queries), doubles(keys), doubles(values), positions, {1, 1, head_dim, 0, 0.5});
    CHECK(worst_error(lab.read<float>(*output), expected) < 1e-4);
  }

  TEST_CASE("swiglu stays finite where e^x does not") {
    LAB();
    for (const std::uint32_t n_columns : {1U, 65U, 300U}) {
      auto gate_up = random_floats(std::size_t{3} * 2 * n_columns, 12);
      gate_up[0] = -200;
      gate_up[std::size_t{2} * n_columns] = 200;
      const auto in = lab.tensor(gate_up);
      const auto output = lab.empty(std::size_t{3} * n_columns * sizeof(float));
      lab.run([&](Stream& stream) {
        lab.operations().swiglu(stream, {in->address(), output->address(), 3, n_columns});
      });
      CHECK(worst_error(lab.read<float>(*output), reference::swiglu(doubles(gate_up), n_columns)) <
            1e-6 * 5);
    }
  }

  TEST_CASE("add adds, also onto its input") {
    LAB();
    for (const std::size_t n : {std::size_t{1}, std::size_t{64}, std::size_t{1'000}}) {
      const auto a = random_floats(n, 13);
      const auto b = random_floats(n, 14);
      const auto a_tensor = lab.tensor(a);
      const auto b_tensor = lab.tensor(b);
      lab.run([&](Stream& stream) {
        lab.operations().add(
            stream, {a_tensor->address(), b_tensor->address(), a_tensor->address(), u32(n)});
      });
      std::vector<float> expected(n);
      std::transform(a.begin(), a.end(), b.begin(), expected.begin(), std::plus<>());
      CHECK(lab.read<float>(*a_tensor) == expected);
    }
  }

  TEST_CASE("the validation layers see a read past a buffer's end") {
    LAB();
    if (!under_validation()) return;
    const auto a = lab.tensor(random_floats(64, 15));
    const auto too_short = lab.tensor(random_floats(63, 16));
    auto stream = Stream::create(lab.device());
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    lab.operations().add(*stream, {a->address(), too_short->address(), a->address(), 64});
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->run().has_value());
    // The layers report when the run is known to be over: at the latest with the next one.
    auto messages = take_messages();
    if (messages.empty()) {
      REQUIRE(stream->run().has_value());
      messages = take_messages();
    }
    REQUIRE(!messages.empty());
    CHECK(messages.front().find("Device address") != std::string::npos);
  }
}
