// Matrices against the float64 reference, on random and odd shapes; every kernel of the table is
// tried here or in the operations_*_test.cpp beside.
#include "vulkan/operations.h"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "tests/support/reference_blocks.h"
#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/reference.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// f32 sums of up to some thousand terms, relative to the root mean square of the result.
constexpr double kTolerance = 2e-5;

struct Weights {
  std::vector<std::byte> bytes;  // as in a GGUF file
  std::vector<double> elements;  // what they stand for
};

struct BlockType {
  WeightType type;
  std::uint32_t gguf_type;             // as GGUF numbers it
  std::vector<std::size_t> halves_at;  // f16 numbers of a block
};
const BlockType kBlockTypes[] = {
    {WeightType::kF32, 0, {}},
    {WeightType::kF16, 1, {0}},
    {WeightType::kBF16, 30, {}},
    {WeightType::kQ8_0, 8, {0}},
    {WeightType::kQ4_0, 2, {0}},
    {WeightType::kQ4_1, 3, {0, 2}},
    {WeightType::kQ5_0, 6, {0}},
    {WeightType::kQ5_1, 7, {0, 2}},
    {WeightType::kQ4_K, 12, {0, 2}},
    {WeightType::kQ5_K, 13, {0, 2}},
    {WeightType::kQ6_K, 14, {208}},
    {WeightType::kIQ4_NL, 20, {0}},
    {WeightType::kIQ4_XS, 23, {0}},
};
// Blocks of these are elements: rows may have any length.
constexpr WeightType kPlainTypes[] = {WeightType::kF32, WeightType::kF16, WeightType::kBF16};

Weights random_weights(WeightType type, std::size_t n, std::uint32_t seed) {
  const BlockType& block_type =
      *std::ranges::find_if(kBlockTypes, [&](const BlockType& row) { return row.type == type; });
  std::mt19937 generator(seed);
  Weights weights;
  weights.bytes.resize(n / block_elements(type) * block_bytes(type));
  for (std::byte& byte : weights.bytes)
    byte = static_cast<std::byte>(generator());
  const auto put = [&](std::size_t at, const auto& value) {
    std::memcpy(&weights.bytes[at], &value, sizeof(value));
  };
  if (type == WeightType::kF32 || type == WeightType::kBF16) {
    const std::size_t bytes = block_bytes(type);
    const std::vector<float> values = random_floats(n, seed);
    for (std::size_t i = 0; i < n; ++i) {
      const auto whole = std::as_bytes(std::span(values).subspan(i, 1));
      std::ranges::copy(whole.last(bytes), &weights.bytes[i * bytes]);
    }
  }
  for (std::size_t block = 0; block < n / block_elements(type); ++block) {
    for (const std::size_t at : block_type.halves_at) {
      // Of either sign; some subnormal in f16, as tiny weights have them.
      const auto magnitude = static_cast<std::uint16_t>(
          block % 5 == 4 ? generator() % 1'024 : 0x2000 + generator() % 0x800);
      put(block * block_bytes(type) + at,
          static_cast<std::uint16_t>(magnitude | (generator() % 2 << 15)));
    }
  }
  weights.elements = reference_dequantize(block_type.gguf_type, weights.bytes);
  return weights;
}

std::uint32_t u32(std::size_t value) {
  return static_cast<std::uint32_t>(value);
}

std::uint32_t whole_blocks(WeightType type, std::uint32_t n_columns) {
  const std::uint32_t block = block_elements(type);
  return (n_columns + block - 1) / block * block;
}

struct MulMatShape {
  std::uint32_t n_rows;
  std::uint32_t n_columns;
  std::uint32_t n_tokens;
};

enum class MulMatKernel { kVec, kTiled };

void run_mul_mat(Lab& lab, MulMatKernel kernel, const MulMat& op) {
  lab.run([&](Stream& stream) {
    if (kernel == MulMatKernel::kVec) {
      lab.operations().mul_mat_vec(stream, op);
    } else {
      lab.operations().mul_mat_tiled(stream, op);
    }
  });
}

double mul_mat_error(Lab& lab, MulMatKernel kernel, WeightType type, const MulMatShape& shape) {
  const Weights weights = random_weights(type, std::size_t{shape.n_rows} * shape.n_columns, 1);
  const auto input = random_floats(std::size_t{shape.n_tokens} * shape.n_columns, 2);
  const auto weights_tensor = lab.tensor(weights.bytes);
  const auto input_tensor = lab.tensor(input);
  const auto output = lab.empty(std::size_t{shape.n_tokens} * shape.n_rows * sizeof(float));
  run_mul_mat(lab,
              kernel,
              {.weights = {type, weights_tensor->address(), shape.n_rows, shape.n_columns},
               .input = input_tensor->address(),
               .output = output->address(),
               .n_tokens = shape.n_tokens});
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
        CHECK(mul_mat_error(lab, MulMatKernel::kVec, type, shape) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat_vec takes rows of any length where blocks are elements") {
    LAB();
    for (const WeightType type : kPlainTypes) {
      for (const std::uint32_t n_columns : {1U, 2U, 3U, 7U, 63U, 257U, 1'023U}) {
        CAPTURE(n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kVec, type, {5, n_columns, 2}) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat multiplies every block format in tiles") {
    LAB();
    for (const WeightType type : all_weight_types()) {
      for (MulMatShape shape :
           {MulMatShape{1, 32, 1}, {31, 64, 33}, {32, 32, 32}, {33, 96, 31}, {70, 288, 65}}) {
        shape.n_columns = whole_blocks(type, shape.n_columns);
        CAPTURE(static_cast<int>(type));
        CAPTURE(shape.n_rows);
        CAPTURE(shape.n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kTiled, type, shape) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat takes rows of any length where blocks are elements") {
    LAB();
    for (const WeightType type : kPlainTypes) {
      for (const std::uint32_t n_columns : {1U, 2U, 3U, 31U, 33U, 65U, 130U}) {
        CAPTURE(n_columns);
        CHECK(mul_mat_error(lab, MulMatKernel::kTiled, type, {35, n_columns, 7}) < kTolerance);
      }
    }
  }

  TEST_CASE("mul_mat adds a bias, reads and writes parts of rows") {
    LAB();
    const std::uint32_t n_columns = 70;
    const std::uint32_t n_rows = 37;
    const std::uint32_t input_stride = n_columns + 3;
    const std::uint32_t output_stride = n_rows + 20;
    for (const MulMatKernel kernel : {MulMatKernel::kVec, MulMatKernel::kTiled}) {
      for (const std::uint32_t n_tokens : {1U, 3U, 40U}) {
        CAPTURE(static_cast<int>(kernel));
        CAPTURE(n_tokens);
        const auto weights = random_floats(std::size_t{n_rows} * n_columns, 21);
        const auto bias = random_floats(n_rows, 22);
        const auto input = random_floats(std::size_t{n_tokens} * input_stride, 23);
        auto expected = random_floats(std::size_t{n_tokens} * output_stride, 24);
        const auto weights_tensor = lab.tensor(weights);
        const auto bias_tensor = lab.tensor(bias);
        const auto input_tensor = lab.tensor(input);
        const auto output = lab.tensor(expected);
        run_mul_mat(lab,
                    kernel,
                    {.weights = {WeightType::kF32, weights_tensor->address(), n_rows, n_columns},
                     .input = input_tensor->address() + 3 * sizeof(float),
                     .output = output->address() + 5 * sizeof(float),
                     .n_tokens = n_tokens,
                     .input_stride = input_stride,
                     .output_stride = output_stride,
                     .bias = bias_tensor->address()});
        // What lies around the part stays as it was.
        std::vector<double> all = doubles(expected);
        for (std::size_t t = 0; t < n_tokens; ++t) {
          const auto from = input.begin() + static_cast<std::ptrdiff_t>(t * input_stride + 3);
          const auto row =
              reference::mul_mat(doubles(weights), {from, from + n_columns}, n_columns);
          for (std::size_t r = 0; r < n_rows; ++r)
            all[t * output_stride + 5 + r] = row[r] + bias[r];
        }
        CHECK(worst_error(lab.read<float>(*output), all) < kTolerance);
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
