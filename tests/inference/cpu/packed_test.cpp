#include "inference/cpu/packed.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "inference/cpu/packed/instructions.h"
#include "inference/gguf.h"
#include "tests/inference/conformance.h"
#include "tests/inference/cpu/kernel_test.h"
#include "tests/inference/cpu/rounded_activations.h"

namespace kinglet::test {

namespace {

using inference::BlockFormat;
using inference::cpu::ByteActivations;
using inference::cpu::ByteProducts;
using inference::cpu::kPackedRows;
using inference::cpu::PackedMatrix;

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

/// Any bytes, but for the halves, which become numbers near 1: so every bit of the codes and of the
/// scales counts.
std::vector<std::byte> random_blocks(const BlockFormat& format,
                                     std::size_t n,
                                     RandomFloats& random) {
  std::vector<std::byte> blocks(n * format.block_bytes);
  for (std::byte& byte : blocks)
    byte = static_cast<std::byte>(static_cast<int>(128 * random.next()) & 255);
  for (std::size_t block = 0; block < n; ++block) {
    for (const BlockFormat::Exponent& exponent : format.exponents) {
      if (exponent.mask == 0) continue;
      std::byte* half = &blocks[block * format.block_bytes + exponent.offset];
      half[1] = (half[1] & std::byte{0x83}) | std::byte{0x38};
    }
  }
  return blocks;
}

/// As for_each_simd_target(), with every kind of byte products.
template <class Body>
void for_each_kernel(const Body& body) {
  for (const ByteProducts most : {ByteProducts::kPairs, ByteProducts::kVnni}) {
    CAPTURE(most);
    inference::cpu::limit_byte_products(most);
    for_each_simd_target(body);
  }
}

struct Shape {
  std::uint32_t n_rows;
  std::uint32_t n_columns;
  std::uint32_t n_tokens;
};

}  // namespace

TEST_SUITE("inference/cpu/packed") {
  TEST_CASE("products of the rounded activations are exact, in every format and at odd shapes") {
    for (const BlockFormat* format : inference::block_formats()) {
      CAPTURE(format->name);
      if (!inference::cpu::is_packable(format->type)) continue;
      for (const Shape shape : {Shape{1, 256, 1},
                                Shape{7, 1280, 2},
                                Shape{37, 512, 23},
                                Shape{16, 288, 5},
                                Shape{90, 512, 1}}) {
        if (shape.n_columns % format->block_elements != 0) continue;
        CAPTURE(shape.n_columns);
        RandomFloats random(shape.n_rows);
        const std::size_t n = std::size_t{shape.n_rows} * shape.n_columns;
        const std::size_t row_bytes =
            shape.n_columns / format->block_elements * std::size_t{format->block_bytes};
        const auto blocks = random_blocks(*format, n / format->block_elements, random);
        std::vector<float> weights(n);
        format->dequantize(blocks, weights);
        const std::vector<float> x = random.take(std::size_t{shape.n_tokens} * shape.n_columns);

        PackedMatrix matrix(format->type, shape.n_rows, shape.n_columns);
        for (std::uint32_t tile = 0; tile < matrix.n_tiles(); ++tile)
          matrix.pack_tile(tile, &blocks[tile * kPackedRows * row_bytes], row_bytes);
        for_each_kernel([&] {
          ByteActivations activations(shape.n_tokens, shape.n_columns);
          for (std::uint32_t t = 0; t < shape.n_tokens; ++t)
            activations.quantize(t, std::span(x).subspan(t * shape.n_columns, shape.n_columns));
          std::vector<float> all;  // of all tiles for the last token
          for (std::uint32_t tile = 0; tile < matrix.n_tiles(); ++tile) {
            std::vector<double> expected;
            for (std::uint32_t t = 0; t < shape.n_tokens; ++t) {
              const std::vector<double> numbers = rounded(activations, t, shape.n_columns);
              for (std::uint32_t r = 0; r < kPackedRows; ++r) {
                const std::uint32_t row = tile * kPackedRows + r;
                double sum = 0;
                for (std::uint32_t c = 0; row < shape.n_rows && c < shape.n_columns; ++c)
                  sum += weights[std::size_t{row} * shape.n_columns + c] * numbers[c];
                expected.push_back(sum);
              }
            }
            std::vector<float> whole(expected.size(), -1e30F);
            multiply_tiles(matrix, {tile}, activations, 0, shape.n_tokens, whole.data());
            CHECK(largest_error(whole, expected) <= 1e-5);
            // Token by token, not a bit differs.
            std::vector<float> pieces(expected.size(), -1e30F);
            for (std::uint32_t t = 0; t < shape.n_tokens; ++t)
              multiply_tiles(matrix, {tile}, activations, t, t + 1, &pieces[t * kPackedRows]);
            CHECK(pieces == whole);
            all.insert(all.end(), pieces.end() - kPackedRows, pieces.end());
          }
          // Side by side neither.
          std::vector<float> side_by_side(all.size(), -1e30F);
          multiply_tiles(matrix,
                         {0, 1, matrix.n_tiles()},
                         activations,
                         shape.n_tokens - 1,
                         shape.n_tokens,
                         side_by_side.data());
          CHECK(side_by_side == all);
          // Nor are they others when they lie apart.
          const std::uint32_t n_even = (matrix.n_tiles() + 1) / 2;
          std::vector<float> apart(n_even * kPackedRows, -1e30F);
          multiply_tiles(matrix,
                         {0, 2, n_even},
                         activations,
                         shape.n_tokens - 1,
                         shape.n_tokens,
                         apart.data());
          for (std::size_t i = 0; i < apart.size(); ++i)
            CHECK(apart[i] == all[i / kPackedRows * 2 * kPackedRows + i % kPackedRows]);
        });
      }
    }
  }

  TEST_CASE("a number that is none shows in the products, in every format") {
    for (const BlockFormat* format : inference::block_formats()) {
      CAPTURE(format->name);
      if (!inference::cpu::is_packable(format->type)) continue;
      constexpr std::uint32_t kColumns = 256;
      const std::size_t row_bytes = *format->bytes_of(kColumns);
      std::vector<std::byte> blocks(row_bytes);
      format->quantize(std::vector<float>(kColumns, 1.0F), blocks);
      PackedMatrix matrix(format->type, 1, kColumns);
      matrix.pack_tile(0, blocks.data(), row_bytes);
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
        std::vector<float> x(kColumns, 0.5F);
        x[117] = bad;
        for_each_kernel([&] {
          ByteActivations activations(1, kColumns);
          activations.quantize(0, x);
          float sums[kPackedRows];
          multiply_tiles(matrix, {0}, activations, 0, 1, sums);
          CHECK(!std::isfinite(sums[0]));
        });
      }
    }
  }

  TEST_CASE("a packed matrix is hardly larger than the file's") {
    for (const BlockFormat* format : inference::block_formats()) {
      CAPTURE(format->name);
      if (!inference::cpu::is_packable(format->type)) continue;
      const std::size_t file_bytes =
          std::size_t{64} * 1024 / format->block_elements * format->block_bytes;
      CHECK(PackedMatrix::bytes_of(format->type, 64, 1024) <= file_bytes * 1.01);
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
