#include "inference/cpu/byte_mat_mul.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "tests/inference/conformance.h"
#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

namespace {

using inference::BlockFormat;
using inference::cpu::ByteActivations;
using inference::cpu::kByteBlock;
using inference::cpu::kScaleElements;
using inference::cpu::MatMul;

/// The activations that the integers stand for.
std::vector<double> rounded(const ByteActivations& x, std::uint32_t row, std::size_t n) {
  std::vector<double> numbers;
  for (std::size_t i = 0; i < n; ++i)
    numbers.push_back(double{x.scales(row)[i / kScaleElements]} * x.quants(row)[i]);
  return numbers;
}

/// Mean over the rows of KL(reference || logits), in nats.
double divergence(const std::vector<float>& logits, const std::vector<std::vector<double>>& rows) {
  const auto log_sum = [](const auto& row) {
    double sum = 0;
    for (const double x : row)
      sum += std::exp(x);
    return std::log(sum);
  };
  double total = 0;
  auto at = logits.begin();
  for (const auto& row : rows) {
    const std::vector<double> actual(at, at + static_cast<std::ptrdiff_t>(row.size()));
    at += static_cast<std::ptrdiff_t>(row.size());
    const double shift = log_sum(actual) - log_sum(row);
    for (std::size_t i = 0; i < row.size(); ++i)
      total += std::exp(row[i] - log_sum(row)) * (row[i] - actual[i] + shift);
  }
  return total / static_cast<double>(rows.size());
}

}  // namespace

TEST_SUITE("inference/cpu/byte_mat_mul") {
  TEST_CASE("activations keep 8 bits, each block at a scale of its own") {
    for (const std::size_t n :
         {std::size_t{1}, std::size_t{16}, std::size_t{100}, std::size_t{333}}) {
      RandomFloats random(5);
      std::vector<float> x = random.take(n, 7.0F);
      for (std::size_t i = 0; i < std::min<std::size_t>(n, 40); ++i)
        x[i] *= 1e-6F;  // a small block beside large ones
      if (n > 64) std::fill_n(x.begin() + 48, 16, 0.0F);
      for_each_simd_target([&] {
        ByteActivations activations(2, 333);
        activations.quantize(1, x);
        const std::vector<double> numbers = rounded(activations, 1, n);
        for (std::size_t block = 0; block < n; block += kByteBlock) {
          const std::size_t end = std::min(n, block + kByteBlock);
          double greatest = 0;
          double worst = 0;
          double sum = 0;
          for (std::size_t i = block; i < end; ++i) {
            greatest = std::max(greatest, std::fabs(double{x[i]}));
            worst = std::max(worst, std::fabs(x[i] - numbers[i]));
            sum += numbers[i];
          }
          CHECK(worst <= greatest * (0.5 / 127 + 1e-6));
          CHECK(activations.sums(1)[block / kByteBlock] == doctest::Approx(sum).epsilon(1e-5));
        }
      });
    }
  }

  TEST_CASE("a number that is none shows in the products") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    const BlockFormat& format = inference::block_format(inference::TensorType::kQ8_0);
    std::vector<std::byte> blocks(34);
    format.quantize(std::vector<float>(32, 1.0F), blocks);
    for (const float bad : {nan, infinity, -infinity}) {
      for_each_simd_target([&] {
        std::vector<float> x(32, 0.5F);
        x[17] = bad;
        ByteActivations activations(1, 32);
        activations.quantize(0, x);
        float out = 0;
        inference::cpu::byte_mat_mul({.format = inference::cpu::find_format(format.type),
                                      .weights = blocks.data(),
                                      .row_bytes = 34,
                                      .n_columns = 32,
                                      .out = &out,
                                      .out_stride = 1,
                                      .n_tokens = 1},
                                     activations,
                                     0,
                                     1);
        CHECK(!std::isfinite(out));
      });
    }
  }

  TEST_CASE("products of the rounded activations are exact, in every format and at odd shapes") {
    struct Shape {
      std::uint32_t n_rows;
      std::uint32_t n_columns;
      std::uint32_t n_tokens;
    };
    for (const BlockFormat* format : inference::block_formats()) {
      CAPTURE(format->name);
      if (format->block_elements == 1) continue;
      for (const Shape shape : {Shape{1, 256, 1}, {7, 1280, 2}, {13, 512, 9}}) {
        RandomFloats random(shape.n_rows);
        const std::size_t n = std::size_t{shape.n_rows} * shape.n_columns;
        const std::size_t row_bytes =
            shape.n_columns / format->block_elements * std::size_t{format->block_bytes};
        std::vector<std::byte> blocks(shape.n_rows * row_bytes);
        std::vector<float> weights(n);
        format->quantize(random.take(n), blocks);
        format->dequantize(blocks, weights);
        const std::vector<float> x = random.take(std::size_t{shape.n_tokens} * shape.n_columns);
        const std::vector<float> bias = random.take(shape.n_rows);
        for_each_simd_target([&] {
          ByteActivations activations(shape.n_tokens, shape.n_columns);
          std::vector<double> expected;
          for (std::uint32_t t = 0; t < shape.n_tokens; ++t) {
            activations.quantize(t, std::span(x).subspan(t * shape.n_columns, shape.n_columns));
            const std::vector<double> numbers = rounded(activations, t, shape.n_columns);
            for (std::uint32_t r = 0; r < shape.n_rows; ++r) {
              double sum = bias[r];
              for (std::uint32_t c = 0; c < shape.n_columns; ++c)
                sum += weights[std::size_t{r} * shape.n_columns + c] * numbers[c];
              expected.push_back(sum);
            }
          }
          MatMul job{.format = inference::cpu::find_format(format->type),
                     .weights = blocks.data(),
                     .row_bytes = row_bytes,
                     .n_columns = shape.n_columns,
                     .out_stride = shape.n_rows,
                     .n_tokens = shape.n_tokens,
                     .bias = bias.data()};
          std::vector<float> whole(expected.size(), -1e30F);
          job.out = whole.data();
          inference::cpu::byte_mat_mul(job, activations, 0, shape.n_rows);
          CHECK(largest_error(whole, expected) <= 1e-5);
          // In pieces, not a bit differs; added to what is there, it adds.
          std::vector<float> pieces(expected.size(), -1e30F);
          job.out = pieces.data();
          for (std::uint32_t row = 0; row < shape.n_rows; row += inference::cpu::kRowTile) {
            inference::cpu::byte_mat_mul(
                job, activations, row, std::min(row + inference::cpu::kRowTile, shape.n_rows));
          }
          CHECK(pieces == whole);
          job.accumulate = true;
          inference::cpu::byte_mat_mul(job, activations, 0, shape.n_rows);
          for (std::size_t i = 0; i < whole.size(); ++i)
            CHECK(pieces[i] == doctest::Approx(2 * double{whole[i]}).epsilon(1e-4));
        });
      }
    }
  }

  TEST_CASE("with 8-bit activations the divergence stays below 1e-3") {
    double worst = 0;
    for (const BlockFormat* format : inference::block_formats()) {
      CAPTURE(format->name);
      SyntheticModel shape = {.hidden = 256, .heads = 4, .kv_heads = 2, .ffn = 512};
      shape.type = format->type;
      const LoadedModel model = load_synthetic(shape);
      const auto tokens = random_tokens(48, model.reference->n_vocabulary(), 3);
      const auto expected = model.reference->logits(tokens, 48);
      const auto executor = make_executor("cpu",
                                          model,
                                          {.kv_format = inference::KvFormat::kF32,
                                           .activations = inference::Activations::kInt8,
                                           .n_kv_tokens = 48,
                                           .n_threads = 2});
      const auto logits = all_logits(*executor, tokens, 48);
      const double kl = divergence(logits, expected);
      CHECK(kl <= 1e-3);
      // Formats of plain floats are multiplied as floats; the others must have been rounded.
      const bool is_exact = logits_error(logits, expected) <= 1e-4;
      CHECK(is_exact == (format->block_elements == 1));
      worst = std::max(worst, kl);
      // Token by token, not a bit differs.
      CHECK(all_logits(*executor, tokens, 48, 1) == logits);
    }
    std::printf("cpu, 8-bit activations: worst divergence %.1e\n", worst);
  }
}

}  // namespace kinglet::test
