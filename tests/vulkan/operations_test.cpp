// Matrices against the float64 reference, on random and odd shapes; every kernel of the table is
// tried here or in the operations_*_test.cpp beside.
#include "vulkan/operations.h"

#include <algorithm>
#include <numeric>
#include <set>

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

std::uint32_t u32(std::size_t value) {
  return static_cast<std::uint32_t>(value);
}

struct MulMatShape {
  std::uint32_t n_rows;
  std::uint32_t n_columns;
  std::uint32_t n_tokens;
};

double mul_mat_error(Lab& lab, WeightType type, const MulMatShape& shape) {
  const Weights weights = random_weights(type, std::size_t{shape.n_rows} * shape.n_columns, 1);
  const auto input = random_floats(std::size_t{shape.n_tokens} * shape.n_columns, 2);
  const auto weights_tensor = lab.tensor(weights.bytes);
  const auto input_tensor = lab.tensor(input);
  const auto output = lab.empty(std::size_t{shape.n_tokens} * shape.n_rows * sizeof(float));
  lab.run([&](Stream& stream) {
    lab.operations().mul_mat(
        stream,
        {.weights = {type, weights_tensor->address(), shape.n_rows, shape.n_columns},
         .input = input_tensor->address(),
         .output = output->address(),
         .n_tokens = shape.n_tokens});
  });
  return worst_error(lab.read<float>(*output),
                     reference::mul_mat(weights.elements, doubles(input), shape.n_columns));
}

}  // namespace

TEST_SUITE("vulkan/operations") {
  TEST_CASE("operations use every kernel of the table") {
    LAB();
    std::set<std::string_view> used;
    for (const ProductPath path : {ProductPath::kFloat,
                                   ProductPath::kHalf,
                                   ProductPath::kIntegerDot,
                                   ProductPath::kMatrix}) {
      const auto operations =
          Operations::create(lab.pipelines(), {.product_path = path, .heads = {{64, 2, 16}}});
      REQUIRE(operations.has_value());
      used.merge(operations->kernels());
    }
    for (const Kernel& row : all_kernels()) {
      if (row.name.starts_with("probe_")) continue;  // they measure the device (vulkan/probe.h)
      CAPTURE(row.name);
      CHECK(used.contains(row.name));
    }
  }

  TEST_CASE("get_rows takes the tokens' rows in every block format") {
    LAB();
    for (const WeightType type : all_weight_types()) {
      for (std::uint32_t n_columns : {32U, 96U, 160U}) {
        n_columns = whole_blocks(type, n_columns);
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
    for (const WeightType type : kPlainTypes) {
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
    for (const WeightType type : all_weight_types()) {
      for (MulMatShape shape : {MulMatShape{1, 32, 1},
                                {3, 64, 1},
                                {4, 96, 2},
                                {33, 256, 1},
                                {9, 288, 5},
                                {130, 1'024, 1}}) {
        shape.n_columns = whole_blocks(type, shape.n_columns);
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.n_rows);
        CAPTURE(shape.n_columns);
        CHECK(mul_mat_error(lab, type, shape) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat_vec takes rows of any length where blocks are elements") {
    LAB();
    for (const WeightType type : kPlainTypes) {
      for (const std::uint32_t n_columns : {1U, 2U, 3U, 7U, 63U, 257U, 1'023U}) {
        CAPTURE(n_columns);
        CHECK(mul_mat_error(lab, type, {5, n_columns, 2}) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat adds a bias, reads and writes parts of rows") {
    LAB();
    const std::uint32_t n_columns = 70;
    const std::uint32_t n_rows = 37;
    const std::uint32_t input_stride = n_columns + 3;
    const std::uint32_t output_stride = n_rows + 20;
    for (const std::uint32_t n_tokens : {1U, 3U, 40U}) {
      CAPTURE(n_tokens);
      const auto weights = random_floats(std::size_t{n_rows} * n_columns, 21);
      const auto bias = random_floats(n_rows, 22);
      const auto input = random_floats(std::size_t{n_tokens} * input_stride, 23);
      auto expected = random_floats(std::size_t{n_tokens} * output_stride, 24);
      const auto weights_tensor = lab.tensor(weights);
      const auto bias_tensor = lab.tensor(bias);
      const auto input_tensor = lab.tensor(input);
      const auto output = lab.tensor(expected);
      lab.run([&](Stream& stream) {
        lab.operations().mul_mat(
            stream,
            {.weights = {WeightType::kF32, weights_tensor->address(), n_rows, n_columns},
             .input = input_tensor->address() + 3 * sizeof(float),
             .output = output->address() + 5 * sizeof(float),
             .n_tokens = n_tokens,
             .input_stride = input_stride,
             .output_stride = output_stride,
             .bias = bias_tensor->address()});
      });
      // What lies around the part stays as it was.
      std::vector<double> all = doubles(expected);
      for (std::size_t t = 0; t < n_tokens; ++t) {
        const auto from = input.begin() + static_cast<std::ptrdiff_t>(t * input_stride + 3);
        const auto row = reference::mul_mat(doubles(weights), {from, from + n_columns}, n_columns);
        for (std::size_t r = 0; r < n_rows; ++r)
          all[t * output_stride + 5 + r] = row[r] + bias[r];
      }
      CHECK(worst_error(lab.read<float>(*output), all) < kTolerance);
    }
  }

  TEST_CASE("the longest rows stay below the driver's loop limit") {
    LAB();
    if (under_validation()) return;  // the layers' own loops count too
    CHECK(mul_mat_error(lab, WeightType::kF16, {2, kMaxColumns, 2}) < 1e-4);
  }

  TEST_CASE("more workgroups than one grid axis holds are folded") {
    LAB();
    if (under_validation()) return;  // minutes there, and nothing that smaller grids do not show
    const std::uint32_t n_rows = lab.device().info().max_group_count * 4 + 5;
    if (n_rows > 1'000'000) SKIP("this device's grids have no small limit");
    CHECK(mul_mat_error(lab, WeightType::kF32, {n_rows, 1, 1}) < kTolerance);
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
