#include "inference/cpu/byte_activations.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/cpu/kernel_test.h"
#include "tests/inference/cpu/rounded_activations.h"

namespace kinglet::test {

using inference::cpu::ByteActivations;
using inference::cpu::ByteColumns;
using inference::cpu::kByteBlock;

TEST_SUITE("inference/cpu/byte_activations") {
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
        const std::size_t n_columns = (n + ByteColumns::kColumns - 1) / ByteColumns::kColumns;
        const std::size_t n_padded = n_columns * ByteColumns::kColumns;
        const std::vector<double> numbers = rounded(activations, 1, n_padded);
        for (std::size_t block = 0; block < n_padded; block += kByteBlock) {
          const ByteColumns& columns = activations.columns(1)[block / ByteColumns::kColumns];
          const std::size_t half = block / kByteBlock % 2;
          double greatest = 0;
          double worst = 0;
          double sum = 0;
          int quant_sum = 0;
          for (std::size_t i = block; i < block + kByteBlock; ++i) {
            const double exact = i < n ? x[i] : 0;
            greatest = std::max(greatest, std::fabs(exact));
            worst = std::max(worst, std::fabs(exact - numbers[i]));
            sum += numbers[i];
            quant_sum += columns.quants[i % ByteColumns::kColumns];
          }
          CHECK(worst <= greatest * (0.5 / 127 + 1e-6));
          CHECK(columns.sums[half] == doctest::Approx(sum).epsilon(1e-5));
          CHECK(columns.zeros[half] == -128 * quant_sum);
        }
        for (std::size_t i = 0; i < n_columns; ++i) {
          const ByteColumns& columns = activations.columns(1)[i];
          CHECK(columns.sum == columns.sums[0] + columns.sums[1]);
        }
      });
    }
  }

  TEST_CASE("a row in parts is the same row") {
    RandomFloats random(6);
    const std::vector<float> x = random.take(200);
    for_each_simd_target([&] {
      ByteActivations whole(1, 200);
      ByteActivations parts(1, 200);
      whole.quantize(0, x);
      parts.quantize(0, std::span(x).subspan(128), 128);
      parts.quantize(0, std::span(x).first(128));
      for (std::size_t i = 0; i < 7; ++i) {
        const ByteColumns& one = whole.columns(0)[i];
        const ByteColumns& other = parts.columns(0)[i];
        CHECK(std::memcmp(one.quants, other.quants, sizeof one.quants) == 0);
        CHECK(std::memcmp(one.scales, other.scales, sizeof one.scales) == 0);
        CHECK(one.sum == other.sum);
      }
    });
  }

  TEST_CASE("a number that is none leaves its block no scale") {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      for (std::size_t at = 0; at < 40; ++at) {
        std::vector<float> x(64, 0.5F);
        x[at] = bad;
        for_each_simd_target([&] {
          ByteActivations activations(1, 64);
          activations.quantize(0, x);
          for (std::size_t block = 0; block < 4; ++block) {
            const float scale = activations.columns(0)[block / 2].scales[block % 2];
            CHECK(std::isnan(scale) == (block == at / kByteBlock));
          }
        });
      }
    }
  }
}

}  // namespace kinglet::test
