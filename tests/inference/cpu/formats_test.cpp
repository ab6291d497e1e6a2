#include "inference/cpu/formats.h"

#include <cmath>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

TEST_SUITE("inference/cpu/formats") {
  TEST_CASE("every block format has a CPU kernel that gives exactly its numbers") {
    std::mt19937 random(7);
    for (const inference::BlockFormat* format : inference::block_formats()) {
      const inference::cpu::Format* kernel = inference::cpu::find_format(format->type);
      CAPTURE(format->name);
      REQUIRE(kernel != nullptr);
      // 16-bit formats also have rows that are no whole number of vectors.
      for (const std::size_t n_blocks : {1, 2, 3, 7, 33, 97}) {
        const std::size_t n = n_blocks * format->block_elements;
        // Any bytes are valid blocks: subnormal, infinite and NaN scales among them.
        std::vector<std::byte> blocks(n_blocks * format->block_bytes + 1);
        for (std::byte& byte : blocks)
          byte = static_cast<std::byte>(random());
        const std::span<const std::byte> unaligned = std::span(blocks).subspan(1);
        std::vector<float> expected(n);
        format->dequantize(unaligned, expected);
        for_each_simd_target([&] {
          std::vector<float> actual(n);
          kernel->dequantize(unaligned.data(), n, actual.data());
          std::size_t n_wrong = 0;
          for (std::size_t i = 0; i < n; ++i) {
            const bool both_nan = std::isnan(expected[i]) && std::isnan(actual[i]);
            if (expected[i] != actual[i] && !both_nan) ++n_wrong;
          }
          CHECK(n_wrong == 0);
        });
      }
    }
  }
}

}  // namespace kinglet::test
