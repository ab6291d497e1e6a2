// Norms, rope and activations against the float64 reference.
#include "vulkan/operations.h"

#include <algorithm>
#include <functional>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "tests/vulkan/reference.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// Of a few roundings, relative to the root mean square of the result.
constexpr double kClose = 5e-6;
// Of f32 sums, or of differences of large numbers.
constexpr double kTolerance = 2e-5;

std::uint32_t u32(std::size_t value) {
  return static_cast<std::uint32_t>(value);
}

}  // namespace

TEST_SUITE("vulkan/operations_elementwise") {
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
      CHECK(worst_error(lab.read<float>(*output), expected) < kClose);
      op.output = op.input;
      lab.run([&](Stream& stream) { lab.operations().rms_norm(stream, op); });
      CHECK(lab.read<float>(*in) == lab.read<float>(*output));
    }
  }

  TEST_CASE("layer_norm centers and normalizes rows, with a bias or without, also in place") {
    LAB();
    for (const auto& [n_rows, n_columns] :
         {std::pair{3U, 7U}, {2U, 255U}, {5U, 256U}, {2U, 1'025U}}) {
      for (const bool has_bias : {false, true}) {
        CAPTURE(n_columns);
        CAPTURE(has_bias);
        auto input = random_floats(std::size_t{n_rows} * n_columns, 4);
        // A mean far from zero: its square must not eat the variance.
        for (std::size_t i = 0; i < n_columns; ++i)
          input[i] += 100;
        const auto weight = random_floats(n_columns, 5);
        const auto bias = random_floats(n_columns, 6);
        const auto in = lab.tensor(input);
        const auto weight_tensor = lab.tensor(weight);
        const auto bias_tensor = lab.tensor(bias);
        const auto output = lab.empty(input.size() * sizeof(float));
        LayerNorm op = {in->address(),
                        weight_tensor->address(),
                        has_bias ? bias_tensor->address() : 0,
                        output->address(),
                        n_rows,
                        n_columns,
                        1e-5F};
        lab.run([&](Stream& stream) { lab.operations().layer_norm(stream, op); });
        const auto expected =
            reference::layer_norm(doubles(input),
                                  doubles(weight),
                                  has_bias ? doubles(bias) : std::vector<double>{},
                                  1e-5F);
        // The inputs around 100 are themselves rounded to 4e-6 of their deviation.
        CHECK(worst_error(lab.read<float>(*output), expected) < kTolerance);
        op.output = op.input;
        lab.run([&](Stream& stream) { lab.operations().layer_norm(stream, op); });
        CHECK(lab.read<float>(*in) == lab.read<float>(*output));
      }
    }
  }

  TEST_CASE("head_rms_norm normalizes each head and leaves the rest") {
    LAB();
    struct Shape {
      std::size_t n_tokens, n_heads, head_dim, extra;
    };
    for (const Shape shape : {Shape{1, 1, 1, 0}, {3, 2, 33, 5}, {2, 5, 64, 0}, {2, 3, 128, 100}}) {
      CAPTURE(shape.head_dim);
      const std::size_t row_stride = shape.n_heads * shape.head_dim + shape.extra;
      const auto heads = random_floats(shape.n_tokens * row_stride, 7);
      const auto weight = random_floats(shape.head_dim, 8);
      const auto heads_tensor = lab.tensor(heads);
      const auto weight_tensor = lab.tensor(weight);
      lab.run([&](Stream& stream) {
        lab.operations().head_rms_norm(stream,
                                       {heads_tensor->address(),
                                        weight_tensor->address(),
                                        u32(shape.n_tokens),
                                        u32(shape.n_heads),
                                        u32(shape.head_dim),
                                        u32(row_stride),
                                        1e-6F});
      });
      auto expected = doubles(heads);
      for (std::size_t token = 0; token < shape.n_tokens; ++token) {
        const auto row = expected.begin() + static_cast<std::ptrdiff_t>(token * row_stride);
        const auto end = row + static_cast<std::ptrdiff_t>(shape.n_heads * shape.head_dim);
        const auto normed = reference::rms_norm({row, end}, doubles(weight), 1e-6F);
        std::copy(normed.begin(), normed.end(), row);
      }
      CHECK(worst_error(lab.read<float>(*heads_tensor), expected) < kClose);
    }
  }

  TEST_CASE("rope turns the pairs of each head and leaves the rest") {
    LAB();
    struct Shape {
      std::size_t n_heads, head_dim, n_rotated, extra;
    };
    for (const auto pairs : {reference::Pairs::kHalves, reference::Pairs::kNeighbors}) {
      for (const Shape shape : {Shape{1, 2, 2, 0}, {3, 8, 6, 5}, {6, 96, 96, 40}, {2, 64, 32, 0}}) {
        CAPTURE(static_cast<int>(pairs));
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
        const Rope op = {heads_tensor->address(),
                         positions_tensor->address(),
                         table_tensor->address(),
                         u32(positions.size()),
                         u32(shape.n_heads),
                         u32(shape.head_dim),
                         u32(shape.n_rotated),
                         u32(row_stride)};
        lab.run([&](Stream& stream) {
          if (pairs == reference::Pairs::kHalves) {
            lab.operations().rope_neox(stream, op);
          } else {
            lab.operations().rope_interleaved(stream, op);
          }
        });
        auto expected = doubles(heads);
        reference::rope(
            pairs, expected, positions, shape.n_heads, shape.head_dim, shape.n_rotated, row_stride);
        CHECK(worst_error(lab.read<float>(*heads_tensor), expected) < 1e-6);
      }
    }
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
            kClose);
    }
  }

  TEST_CASE("gelu and geglu stay finite and close, far out and near zero") {
    LAB();
    for (const std::uint32_t n_columns : {1U, 65U, 300U}) {
      CAPTURE(n_columns);
      auto gate_up = random_floats(std::size_t{3} * 2 * n_columns, 12);
      gate_up[0] = -200;
      gate_up[std::size_t{2} * n_columns] = 200;
      gate_up[std::size_t{4} * n_columns] = -5;  // where 1 + tanh cancels
      const auto in = lab.tensor(gate_up);
      const auto output = lab.empty(std::size_t{3} * n_columns * sizeof(float));
      lab.run([&](Stream& stream) {
        lab.operations().geglu(stream, {in->address(), output->address(), 3, n_columns});
      });
      CHECK(worst_error(lab.read<float>(*output), reference::geglu(doubles(gate_up), n_columns)) <
            kClose);
      // In place on the gates of each row alone.
      lab.run([&](Stream& stream) {
        lab.operations().gelu(stream, {in->address(), 3, n_columns, 2 * n_columns});
      });
      auto expected = doubles(gate_up);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        if (i / n_columns % 2 == 0) expected[i] = reference::gelu(expected[i]);
      }
      CHECK(worst_error(lab.read<float>(*in), expected) < kClose);
    }
  }

  TEST_CASE("scale and soft_cap change the columns they are told to") {
    LAB();
    for (const std::uint32_t n_columns : {1U, 63U, 200U}) {
      CAPTURE(n_columns);
      const std::uint32_t row_stride = n_columns + 9;
      auto values = random_floats(std::size_t{2} * row_stride, 17);
      for (float& value : values)
        value *= 20;
      values[0] = 1e-3F;
      const auto tensor = lab.tensor(values);
      lab.run([&](Stream& stream) {
        lab.operations().scale(stream, {tensor->address(), 2, n_columns, row_stride}, 0.25F);
        stream.barrier();
        lab.operations().soft_cap(stream, {tensor->address(), 2, n_columns, row_stride}, 3.0F);
      });
      auto expected = doubles(values);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        if (i % row_stride < n_columns) expected[i] = reference::soft_capped(expected[i] / 4, 3);
      }
      const auto actual = lab.read<float>(*tensor);
      CHECK(worst_error(actual, expected) < kClose);
      // Near zero the cap does nothing, to the last bits.
      CHECK(actual[0] == doctest::Approx(expected[0]).epsilon(1e-6));
    }
  }

  TEST_CASE("low_rank_add adds a scaled product to the columns it is told to") {
    LAB();
    for (const std::uint32_t rank : {1U, 5U, 64U}) {
      for (const std::uint32_t n_rows : {1U, 63U, 200U}) {
        CAPTURE(rank);
        CAPTURE(n_rows);
        const std::uint32_t stride = n_rows + 7;
        const auto weights = random_floats(std::size_t{rank} * n_rows, 3);
        const auto input = random_floats(std::size_t{3} * rank, 5);
        const auto before = random_floats(std::size_t{3} * stride, 8);
        const auto w = lab.tensor(weights);
        const auto x = lab.tensor(input);
        const auto y = lab.tensor(before);
        lab.run([&](Stream& stream) {
          lab.operations().low_rank_add(
              stream, {w->address(), x->address(), y->address(), 3, n_rows, rank, stride, -0.5F});
        });
        auto expected = doubles(before);
        for (std::size_t t = 0; t < 3; ++t) {
          for (std::size_t r = 0; r < n_rows; ++r) {
            double sum = 0;
            for (std::size_t k = 0; k < rank; ++k)
              sum += double{weights[k * n_rows + r]} * input[t * rank + k];
            expected[t * stride + r] -= 0.5 * sum;
          }
        }
        CHECK(worst_error(lab.read<float>(*y), expected) < kClose);
      }
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

  TEST_CASE("each operation leaves in the recording what it reads, writes and computes") {
    LAB();
    const auto recorded = [&](const std::function<void(Stream&)>& record) {
      auto stream = Stream::create(lab.device());
      REQUIRE(stream.has_value());
      REQUIRE(stream->begin().has_value());
      record(*stream);
      REQUIRE(stream->dispatches().size() == 1);
      return stream->dispatches()[0].traffic;
    };
    const auto check = [](const Traffic& actual, const Traffic& expected) {
      CHECK(actual.read == expected.read);
      CHECK(actual.written == expected.written);
      CHECK(actual.flops == expected.flops);
    };
    const Operations& operations = lab.operations();
    // Never run: the addresses are of nothing. A block of Q4_K takes 144 bytes for 256 numbers.
    check(recorded([&](Stream& stream) {
            operations.get_rows(stream, {{WeightType::kQ4_K, 16, 9, 512}, 16, 3, 16});
          }),
          {3 * (2 * 144 + 4), 3 * 512 * 4, 0});
    check(recorded([&](Stream& stream) {
            operations.rms_norm(stream, {16, 16, 16, 2, 100, 1e-5F});
          }),
          {300 * 4, 200 * 4, 800});
    check(recorded([&](Stream& stream) {
            operations.layer_norm(stream, {16, 16, 16, 16, 2, 100, 1e-5F});
          }),
          {400 * 4, 200 * 4, 1'600});
    check(recorded([&](Stream& stream) {
            operations.layer_norm(stream, {16, 16, 0, 16, 2, 100, 1e-5F});
          }),
          {300 * 4, 200 * 4, 1'600});
    check(recorded([&](Stream& stream) {
            operations.swiglu(stream, {16, 16, 2, 50});
          }),
          {200 * 4, 100 * 4, 500});
    check(recorded([&](Stream& stream) {
            operations.geglu(stream, {16, 16, 2, 50});
          }),
          {200 * 4, 100 * 4, 1'000});
    check(recorded([&](Stream& stream) {
            operations.gelu(stream, {16, 2, 50, 80});
          }),
          {100 * 4, 100 * 4, 900});
    check(recorded([&](Stream& stream) {
            operations.scale(stream, {16, 2, 50, 80}, 2);
          }),
          {100 * 4, 100 * 4, 100});
    check(recorded([&](Stream& stream) {
            operations.soft_cap(stream, {16, 2, 50, 80}, 2);
          }),
          {100 * 4, 100 * 4, 300});
    check(recorded([&](Stream& stream) {
            operations.add(stream, {16, 16, 16, 100});
          }),
          {200 * 4, 100 * 4, 100});
  }
}
