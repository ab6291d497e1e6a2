#include "inference/rotation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "inference/quant/block_format.h"

using namespace kinglet::inference;

namespace {

std::vector<float> random_vector(std::size_t n) {
  std::mt19937 generator(static_cast<std::uint32_t>(n));
  std::vector<float> vector(n);
  for (float& x : vector)
    x = static_cast<float>(generator() >> 8) * 0x1p-23F - 1.0F;
  return vector;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += double{a[i]} * b[i];
  return sum;
}

}  // namespace

TEST_SUITE("inference/rotation") {
  TEST_CASE("a turned vector turns back, and keeps its products with others") {
    for (const std::size_t n :
         {1, 2, 7, 12, 20, 24, 33, 36, 64, 72, 80, 96, 112, 128, 160, 256, 512}) {
      CAPTURE(n);
      const std::vector<float> a = random_vector(n);
      std::vector<float> b = random_vector(n);
      std::reverse(b.begin(), b.end());
      std::vector<float> turned_a = a;
      std::vector<float> turned_b = b;
      rotate(turned_a);
      rotate(turned_b);
      CHECK(dot(turned_a, turned_b) == doctest::Approx(dot(a, b)).epsilon(1e-5));
      unrotate(turned_a);
      for (std::size_t i = 0; i < n; ++i)
        CHECK(turned_a[i] == doctest::Approx(a[i]).epsilon(1e-5));
    }
  }

  TEST_CASE("one large number is spread over the whole head evenly") {
    for (const std::size_t n : {64, 80, 96, 128, 160, 192, 256}) {
      for (const std::size_t at : {std::size_t{0}, std::size_t{5}, n - 1}) {
        CAPTURE(n);
        CAPTURE(at);
        CHECK(rotation_of(static_cast<std::uint32_t>(n)).part() == n);
        std::vector<float> vector(n, 0.0F);
        vector[at] = 100;
        rotate(vector);
        const double expected = 100 / std::sqrt(static_cast<double>(n));
        for (const float x : vector)
          CHECK(std::fabs(x) == doctest::Approx(expected).epsilon(1e-5));
      }
    }
  }

  TEST_CASE("a large number spoils a turned head less") {
    std::vector<float> head = random_vector(96);
    head[7] = 40;
    const auto error_of = [](std::vector<float> vector) {
      const BlockFormat& blocks = block_format(TensorType::kQ4_0);
      std::vector<std::byte> bytes(vector.size() / 32 * 18);
      std::vector<float> read(vector.size());
      blocks.quantize(vector, bytes);
      blocks.dequantize(bytes, read);
      double sum = 0;
      for (std::size_t i = 0; i < read.size(); ++i)
        sum += (read[i] - vector[i]) * (read[i] - vector[i]);
      return sum;
    };
    std::vector<float> turned = head;
    rotate(turned);
    CHECK(error_of(turned) < error_of(head) / 2);
  }

  TEST_CASE("other head sizes are turned in parts") {
    CHECK(rotation_of(112).part() == 16);
    CHECK(rotation_of(72).part() == 8);
    CHECK(rotation_of(33).part() == 1);
  }
}
