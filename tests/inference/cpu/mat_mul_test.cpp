#include "inference/cpu/mat_mul.h"

#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

namespace {

using inference::BlockFormat;
using inference::cpu::MatMul;
using inference::cpu::padded;

struct Shape {
  std::uint32_t n_rows;
  std::uint32_t n_columns;
  std::uint32_t n_tokens;
};

/// Random weights in a format, random activations, and their float64 product.
struct Case {
  Case(const BlockFormat& format, Shape shape) : shape_(shape), format_(format) {
    RandomFloats random(shape.n_rows * 31 + shape.n_columns);
    const std::size_t n = std::size_t{shape.n_rows} * shape.n_columns;
    blocks.resize(n / format.block_elements * format.block_bytes);
    format.quantize(random.take(n), blocks);
    std::vector<float> weights(n);
    format.dequantize(blocks, weights);
    x = std::vector<float>(shape.n_tokens * stride(), 0.0F);
    for (std::uint32_t t = 0; t < shape.n_tokens; ++t) {
      for (std::uint32_t c = 0; c < shape.n_columns; ++c)
        x[t * stride() + c] = random.next();
    }
    if (shape.n_tokens % 2 != 0) bias = random.take(shape.n_rows);
    for (std::uint32_t t = 0; t < shape.n_tokens; ++t) {
      for (std::uint32_t r = 0; r < shape.n_rows; ++r) {
        double sum = bias.empty() ? 0.0 : bias[r];
        for (std::uint32_t c = 0; c < shape.n_columns; ++c) {
          sum += double{weights[std::size_t{r} * shape.n_columns + c]} * x[t * stride() + c];
        }
        expected.push_back(sum);
      }
    }
  }

  std::size_t stride() const { return padded(shape_.n_columns) + 16; }

  MatMul job(std::vector<float>& out) const {
    out.assign(std::size_t{shape_.n_tokens} * shape_.n_rows, -1e30F);
    return MatMul{
        .format = inference::cpu::find_format(format_.type),
        .weights = blocks.data(),
        .row_bytes = shape_.n_columns / format_.block_elements * std::size_t{format_.block_bytes},
        .n_columns = shape_.n_columns,
        .x = x.data(),
        .x_stride = stride(),
        .out = out.data(),
        .out_stride = shape_.n_rows,
        .n_tokens = shape_.n_tokens,
        .bias = bias.empty() ? nullptr : bias.data(),
    };
  }

  std::vector<std::byte> blocks;
  std::vector<float> x;
  std::vector<float> bias;  // with odd numbers of tokens
  std::vector<double> expected;

 private:
  Shape shape_;
  const BlockFormat& format_;
};

}  // namespace

TEST_SUITE("inference/cpu/mat_mul") {
  TEST_CASE("products are those of float64, in every format and at odd shapes") {
    // More columns than a panel, rows and tokens that fill no tile, single rows and tokens.
    const Shape even[] = {{1, 32, 1}, {4, 64, 6}, {7, 96, 13}, {33, 288, 5}, {5, 2112, 7}};
    const Shape odd[] = {{1, 1, 1}, {3, 17, 2}, {9, 33, 8}, {6, 1025, 3}, {2, 2051, 19}};
    for (const BlockFormat* format : inference::block_formats()) {
      CAPTURE(format->name);
      std::vector<Shape> shapes(std::begin(even), std::end(even));
      shapes.insert(shapes.end(), std::begin(odd), std::end(odd));
      for (Shape shape : shapes) {
        const std::uint32_t block = format->block_elements;
        shape.n_columns = (shape.n_columns + block - 1) / block * block;
        CAPTURE(shape.n_rows);
        CAPTURE(shape.n_columns);
        CAPTURE(shape.n_tokens);
        const Case input(*format, shape);
        for_each_simd_target([&] {
          std::vector<float> out;
          mat_mul(input.job(out), 0, shape.n_rows);
          CHECK(largest_error(out, input.expected) < 2e-6);
        });
      }
    }
  }

  TEST_CASE("a product has the same bits however tokens and rows are divided") {
    const Shape shape{23, 1312, 29};
    const Case input(inference::block_format(inference::TensorType::kQ8_0), shape);
    for_each_simd_target([&] {
      std::vector<float> whole;
      mat_mul(input.job(whole), 0, shape.n_rows);
      std::vector<float> parts;
      MatMul job = input.job(parts);
      job.n_tokens = 1;
      for (std::uint32_t t = 0; t < shape.n_tokens; ++t) {
        mat_mul(job, 0, 8);
        mat_mul(job, 8, shape.n_rows);
        job.x += job.x_stride;
        job.out += job.out_stride;
      }
      CHECK(whole == parts);
    });
  }
}

}  // namespace kinglet::test
