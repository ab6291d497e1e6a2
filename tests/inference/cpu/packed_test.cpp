#include "inference/cpu/packed.h"

#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "inference/cpu/packed/instructions.h"
#include "inference/gguf.h"
#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

namespace {

using inference::BlockFormat;
using inference::cpu::ByteActivations;
using inference::cpu::ByteColumns;
using inference::cpu::ByteProducts;
using inference::cpu::kByteBlock;
using inference::cpu::kPackedRows;
using inference::cpu::PackedMatrix;

/// The activations that the integers stand for.
std::vector<double> rounded(const ByteActivations& x, std::uint32_t row, std::size_t n) {
  std::vector<double> numbers;
  for (std::size_t i = 0; i < n; ++i) {
    const ByteColumns& columns = x.columns(row)[i / ByteColumns::kColumns];
    const std::size_t at = i % ByteColumns::kColumns;
    numbers.push_back(double{columns.scales[at / kByteBlock]} * columns.quants[at]);
  }
  return numbers;
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
      for (const Shape shape :
           {Shape{1, 256, 1}, Shape{7, 1280, 2}, Shape{37, 512, 23}, Shape{16, 288, 5}}) {
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
            multiply_tile(matrix, tile, activations, 0, shape.n_tokens, whole.data());
            CHECK(largest_error(whole, expected) <= 1e-5);
            // Token by token, not a bit differs.
            std::vector<float> pieces(expected.size(), -1e30F);
            for (std::uint32_t t = 0; t < shape.n_tokens; ++t)
              multiply_tile(matrix, tile, activations, t, t + 1, &pieces[t * kPackedRows]);
            CHECK(pieces == whole);
          }
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
}

}  // namespace kinglet::test
