// Products of several matrices in one call, with all that is fused into them, against float64: on
// every path, in every block format, for all numbers of tokens.
#include "vulkan/operations/products.h"

#include <cmath>
#include <optional>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/reference.h"
#include "tests/vulkan/weights.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// f32 sums of up to some thousand terms, relative to the root mean square of the result.
constexpr double kTolerance = 2e-5;

struct Case {
  std::vector<WeightType> types = {WeightType::kF32};  // by part
  std::vector<std::uint32_t> rows = {5};               // likewise
  std::uint32_t n_columns = 32;
  std::uint32_t n_tokens = 1;
  bool with_norm = false;
  bool with_bias = false;
  Store store = Store::kPlain;
  float scale = 1;
  std::uint32_t padding = 0;   // of input and output rows, elements; a multiple of 4
  bool in_one_matrix = false;  // gates and ups
  ProductPath path = ProductPath::kFloat;
};

constexpr float kEpsilon = 1e-3F;

double activation(Store store, double gate) {
  return store == Store::kSwiGlu ? gate / (1 + std::exp(-gate)) : reference::gelu(gate);
}

// The worst error of any part's output; elements around the outputs count.
double error_of(Lab& lab, const Case& c, const Operations* operations = nullptr) {
  if (operations == nullptr) operations = &lab.operations(c.path);
  const bool gated = is_gated(c.store);
  const std::uint32_t input_stride = c.n_columns + c.padding;
  const auto input = random_floats(std::size_t{c.n_tokens} * input_stride, 1);
  const auto norm = random_floats(c.n_columns, 2);
  const auto input_tensor = lab.tensor(input);
  const auto norm_tensor = lab.tensor(norm);

  // The vectors that the matrices are multiplied with.
  std::vector<double> vectors;
  for (std::uint32_t t = 0; t < c.n_tokens; ++t) {
    const auto begin = input.begin() + t * input_stride;
    std::vector<float> row(begin, begin + c.n_columns);
    double factor = 1;
    if (c.with_norm) {
      double squares = 0;
      for (const float value : row)
        squares += double{value} * value;
      factor = 1 / std::sqrt(squares / c.n_columns + kEpsilon);
      for (std::uint32_t i = 0; i < c.n_columns; ++i)
        row[i] *= norm[i];
    }
    if (c.path == ProductPath::kIntegerDot) round_to_bytes(row);
    for (const float value : row)
      vectors.push_back(factor * value);
  }

  Products op;
  op.n_parts = static_cast<std::uint32_t>(c.types.size());
  op.input = input_tensor->address();
  op.n_tokens = c.n_tokens;
  op.input_stride = input_stride;
  op.norm_weight = c.with_norm ? norm_tensor->address() : 0;
  op.norm_epsilon = kEpsilon;
  op.store = c.store;
  op.scale = c.scale;
  std::vector<std::shared_ptr<Tensor>> kept;
  std::vector<std::shared_ptr<Tensor>> outputs;
  std::vector<std::vector<double>> results;   // of each part
  std::vector<std::vector<double>> expected;  // the whole outputs
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    const std::uint32_t n_rows = c.rows[i];
    const Weights weights = random_weights(c.types[i], std::size_t{n_rows} * c.n_columns, 10 + i);
    const auto bias = random_floats(n_rows, 20 + i);
    const std::uint32_t output_rows = c.in_one_matrix ? n_rows / 2 : n_rows;
    const std::uint32_t output_stride = output_rows + c.padding;
    const auto before = random_floats(std::size_t{c.n_tokens} * output_stride, 30 + i);
    const auto weights_tensor = lab.tensor(weights.bytes);
    const auto bias_tensor = lab.tensor(bias);
    kept.insert(kept.end(), {weights_tensor, bias_tensor});
    outputs.push_back(lab.tensor(before));
    expected.push_back(doubles(before));
    op.parts.at(i) = {{c.types[i], weights_tensor->address(), n_rows, c.n_columns},
                      c.with_bias ? bias_tensor->address() : 0,
                      outputs.back()->address(),
                      output_stride};
    auto result = reference::mul_mat(weights.elements, vectors, c.n_columns);
    for (std::size_t at = 0; c.with_bias && at < result.size(); ++at)
      result[at] += bias[at % n_rows];
    results.push_back(std::move(result));
  }
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    if (gated && i > 0) continue;
    const std::uint32_t n_rows = c.in_one_matrix ? c.rows[i] / 2 : c.rows[i];
    for (std::uint32_t t = 0; t < c.n_tokens; ++t) {
      for (std::uint32_t r = 0; r < n_rows; ++r) {
        double& place = expected[i][t * (n_rows + c.padding) + r];
        const double result = results[i][t * c.rows[i] + r];
        const double up = c.in_one_matrix ? results[i][t * c.rows[i] + n_rows + r]
                          : gated         ? results[1][t * c.rows[1] + r]
                                          : 0;
        place = gated                    ? activation(c.store, result) * up
                : c.store == Store::kAdd ? place + c.scale * result
                                         : c.scale * result;
      }
    }
  }
  lab.run([&](Stream& stream) { operations->products(stream, op); });
  double worst = 0;
  for (std::uint32_t i = 0; i < op.n_parts; ++i) {
    worst = std::max(worst, worst_error(lab.read<float>(*outputs[i]), expected[i]));
  }
  return worst;
}

constexpr ProductPath kPaths[] = {ProductPath::kFloat, ProductPath::kIntegerDot};

double tolerance(ProductPath path) {
  // A product in f32 that falls near the middle between two bytes may round to the other one.
  return path == ProductPath::kIntegerDot ? 1e-3 : kTolerance;
}

// Instrumented code compiles slowly, seconds a kernel: under the validation layers one kernel of
// each way to read memory is tried.
std::uint32_t tokens(std::uint32_t n_tokens) {
  return under_validation() ? 1 : n_tokens;
}

std::vector<WeightType> types_of(ProductPath path) {
  if (under_validation() && path == ProductPath::kIntegerDot) return {WeightType::kQ4_K};
  auto types = all_weight_types();
  if (path == ProductPath::kIntegerDot) {
    std::erase_if(types, [](WeightType type) { return block_elements(type) == 1; });
  }
  return types;
}

}  // namespace

TEST_SUITE("vulkan/operations/products") {
  TEST_CASE("every block format is multiplied on every path") {
    LAB();
    for (const ProductPath path : kPaths) {
      for (const WeightType type : types_of(path)) {
        for (const std::uint32_t n_columns : {32U, 96U, 1'056U}) {
          for (const std::uint32_t n_tokens : {1U, 3U}) {
            if (n_tokens > tokens(n_tokens)) continue;
            CAPTURE(static_cast<int>(path));
            CAPTURE(static_cast<int>(type));
            CAPTURE(n_columns);
            CAPTURE(n_tokens);
            CHECK(error_of(lab,
                           {.types = {type},
                            .rows = {19},
                            .n_columns = whole_blocks(type, n_columns),
                            .n_tokens = n_tokens,
                            .path = path}) < tolerance(path));
          }
        }
      }
    }
  }

  TEST_CASE("all numbers of tokens up to the most are computed in one pass") {
    LAB();
    for (const ProductPath path : kPaths) {
      for (std::uint32_t n_tokens = 1; n_tokens <= kMaxVecTokens; ++n_tokens) {
        CAPTURE(n_tokens);
        CHECK(error_of(lab,
                       {.types = {WeightType::kQ4_K},
                        .rows = {9},
                        .n_columns = 256,
                        .n_tokens = n_tokens,
                        .with_norm = true,
                        .padding = 4,
                        .path = path}) < tolerance(path));
      }
    }
  }

  TEST_CASE("rows are normed while they are loaded") {
    LAB();
    for (const ProductPath path : kPaths) {
      if (under_validation() && path != ProductPath::kFloat) continue;
      for (const std::uint32_t n_columns : {256U, 2'304U, 8'448U}) {
        CAPTURE(n_columns);
        CHECK(error_of(lab,
                       {.types = {WeightType::kQ8_0},
                        .rows = {3},
                        .n_columns = n_columns,
                        .n_tokens = tokens(2),
                        .with_norm = true,
                        .path = path}) < tolerance(path));
      }
    }
    for (const std::uint32_t n_columns : {1U, 7U, 33U, 1'025U}) {
      CAPTURE(n_columns);
      CHECK(error_of(lab,
                     {.types = {WeightType::kF16},
                      .rows = {4},
                      .n_columns = n_columns,
                      .n_tokens = tokens(2),
                      .with_norm = true}) < kTolerance);
    }
  }

  TEST_CASE("several matrices of one or more types are multiplied in one call") {
    LAB();
    using enum WeightType;
    for (const std::vector<WeightType>& types :
         {std::vector{kQ4_K, kQ4_K, kQ4_K}, {kQ4_K, kQ4_K, kQ6_K}, {kQ6_K, kQ4_K, kQ6_K}}) {
      for (const ProductPath path : kPaths) {
        if (under_validation() && path != ProductPath::kFloat) continue;
        CHECK(error_of(lab,
                       {.types = types,
                        .rows = {33, 9, 17},
                        .n_columns = 512,
                        .n_tokens = tokens(2),
                        .with_norm = true,
                        .with_bias = true,
                        .padding = 8,
                        .path = path}) < tolerance(path));
      }
    }
    CHECK(error_of(lab, {.types = {kQ8_0, kF32}, .rows = {40, 1}, .n_columns = 64}) < kTolerance);
  }

  TEST_CASE("results are scaled, and added to what is there") {
    LAB();
    for (const ProductPath path : kPaths) {
      if (under_validation() && path != ProductPath::kFloat) continue;
      for (const Store store : {Store::kPlain, Store::kAdd}) {
        CHECK(error_of(lab,
                       {.types = {WeightType::kQ5_0},
                        .rows = {35},
                        .n_columns = 160,
                        .n_tokens = tokens(3),
                        .with_bias = true,
                        .store = store,
                        .scale = 0.3F,
                        .padding = 4,
                        .path = path}) < tolerance(path));
      }
    }
  }

  TEST_CASE("gates and ups become one output") {
    LAB();
    for (const ProductPath path : kPaths) {
      for (const Store store : {Store::kSwiGlu, Store::kGeGlu}) {
        for (const std::uint32_t n_tokens : {1U, 4U, 7U}) {
          Case c = {.types = {WeightType::kQ4_K, WeightType::kQ4_K},
                    .rows = {37, 37},
                    .n_columns = 256,
                    .n_tokens = n_tokens,
                    .with_norm = true,
                    .with_bias = true,
                    .store = store,
                    .padding = 4,
                    .path = path};
          CAPTURE(n_tokens);
          CHECK(error_of(lab, c) < 2 * tolerance(path));
          c.types = {WeightType::kQ4_K};
          c.rows = {74};
          c.in_one_matrix = true;
          CHECK(error_of(lab, c) < 2 * tolerance(path));
        }
      }
    }
  }

  TEST_CASE("each byte of a product counts once") {
    using enum WeightType;
    Products op;
    op.n_parts = 2;
    op.parts[0].weights = {kQ4_K, 0, 10, 512};
    op.parts[1].weights = {kQ8_0, 0, 6, 512};
    op.n_tokens = 3;
    const std::uint64_t weights = 10 * 2 * 144 + 6 * 16 * 34;
    CHECK(traffic(op).read == weights + 3 * 512 * 4);
    CHECK(traffic(op).written == 3 * 16 * 4);
    CHECK(traffic(op).flops == 2 * 3 * 16 * 512);
    op.store = Store::kAdd;
    CHECK(traffic(op).read == weights + 3 * 512 * 4 + 3 * 16 * 4);
    op.norm_weight = 1;
    op.parts[1].bias = 1;
    CHECK(traffic(op).read == weights + 3 * 512 * 4 + 3 * 16 * 4 + 512 * 4 + 6 * 4);
    op.store = Store::kSwiGlu;
    op.parts[1] = op.parts[0];
    CHECK(traffic(op).written == 3 * 10 * 4);
    op.n_parts = 1;
    CHECK(traffic(op).written == 3 * 5 * 4);
  }

  TEST_CASE("a stream sums what products of several types move") {
    LAB();
    const auto memory = lab.empty(1 << 16);
    auto stream = Stream::create(lab.device());
    REQUIRE(stream.has_value());
    REQUIRE(stream->begin().has_value());
    Products op;
    op.n_parts = 3;
    op.n_tokens = 1;
    op.input = memory->address();
    for (std::uint32_t i = 0; i < 3; ++i) {
      op.parts.at(i) = {
          {i == 2 ? WeightType::kQ6_K : WeightType::kQ4_K, op.input, 8, 256}, 0, memory->address()};
    }
    lab.operations().products(*stream, op);
    REQUIRE(stream->end().has_value());
    REQUIRE(stream->dispatches().size() == 2);
    CHECK(stream->dispatches()[0].traffic.read == 16 * 144 + 256 * 4);
    CHECK(stream->dispatches()[1].traffic.read == 8 * 210 + 256 * 4);
  }

  TEST_CASE("numbers that a tuner found change how products are cut, not what they are") {
    LAB();
    if (under_validation()) return;
    const WeightType type = WeightType::kQ4_K;
    std::vector<Tuning> tunings;
    for (const Knob& knob : vec_knobs(lab.device().info(), type, false)) {
      for (const std::uint32_t value : knob.values)
        tunings.emplace_back().set(knob.name, value);
    }
    const auto check = [&](ProductPath path, const Tuning& tuning) {
      const auto operations = Operations::create(
          lab.pipelines(),
          {.weights = {type}, .caches = {}, .product_path = path, .tuning = tuning});
      REQUIRE(operations.has_value());
      // Against floats, whatever was asked for.
      return error_of(lab,
                      {.types = {type},
                       .rows = {41},
                       .n_columns = 2'560,
                       .with_norm = true,
                       .path = ProductPath::kFloat},
                      &*operations);
    };
    for (const Tuning& tuning : tunings)
      CHECK(check(ProductPath::kAuto, tuning) < tolerance(ProductPath::kFloat));
    const auto choice = dot_knob(lab.device().info(), type);
    if (!choice) return;
    // Who allows bytes may get floats, where those are faster; nobody gets bytes unasked.
    Tuning floats;
    floats.set(choice->name, 0);
    CHECK(check(ProductPath::kIntegerDot, floats) < tolerance(ProductPath::kFloat));
    CHECK(check(ProductPath::kIntegerDot, {}) > tolerance(ProductPath::kFloat));
    Tuning bytes;
    bytes.set(choice->name, 1);
    CHECK(check(ProductPath::kAuto, bytes) < tolerance(ProductPath::kFloat));
  }

  TEST_CASE("bytes are close to the activations they stand for") {
    LAB();
    // Rounding to ±127 of the largest of 16 normally distributed values: about 0.4 % of their
    // deviation; the worst of some hundred results has several times that.
    Case c = {.types = {WeightType::kQ6_K}, .rows = {300}, .n_columns = 1'024};
    const auto input = random_floats(c.n_columns, 1);
    const Weights weights = random_weights(c.types[0], std::size_t{300} * c.n_columns, 10);
    const auto weights_tensor = lab.tensor(weights.bytes);
    const auto input_tensor = lab.tensor(input);
    const auto output = lab.empty(300 * sizeof(float));
    lab.run([&](Stream& stream) {
      Products op;
      op.parts[0] = {
          {c.types[0], weights_tensor->address(), 300, c.n_columns}, 0, output->address()};
      op.input = input_tensor->address();
      op.n_tokens = 1;
      lab.operations(ProductPath::kIntegerDot).products(stream, op);
    });
    const double error =
        worst_error(lab.read<float>(*output),
                    reference::mul_mat(weights.elements, doubles(input), c.n_columns));
    CHECK(error < 0.03);
    CHECK(error > 1e-4);  // it is that path
  }
}
