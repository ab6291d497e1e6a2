#include "inference/cpu/elementwise.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/cpu/kernel_test.h"

namespace kinglet::test {

namespace {
constexpr std::size_t kSizes[] = {1, 2, 3, 15, 16, 17, 96, 255, 1000};
}

TEST_SUITE("inference/cpu/elementwise") {
  TEST_CASE("rms_norm is that of float64") {
    for (const std::size_t n : kSizes) {
      RandomFloats random(static_cast<std::uint32_t>(n));
      const std::vector<float> in = random.take(n, 3.0F);
      const std::vector<float> weight = random.take(n);
      double squares = 0;
      for (const float x : in)
        squares += double{x} * x;
      const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      std::vector<double> expected(n);
      for (std::size_t i = 0; i < n; ++i)
        expected[i] = in[i] * scale * weight[i];
      for_each_simd_target([&] {
        std::vector<float> out(n);
        inference::cpu::rms_norm(in.data(), weight.data(), n, 1e-5F, out.data());
        CHECK(largest_error(out, expected) < 1e-6);
      });
    }
  }

  TEST_CASE("layer_norm is that of float64, far from zero, too") {
    for (const std::size_t n : kSizes) {
      for (const float mean : {0.0F, 100.0F}) {
        RandomFloats random(static_cast<std::uint32_t>(n));
        std::vector<float> in = random.take(n, 3.0F);
        for (float& x : in)
          x += mean;
        const std::vector<float> weight = random.take(n);
        const std::vector<float> bias = random.take(n);
        double sum = 0;
        for (const float x : in)
          sum += x;
        const double average = sum / static_cast<double>(n);
        double squares = 0;
        for (const float x : in)
          squares += (x - average) * (x - average);
        const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
        std::vector<double> plain(n);
        std::vector<double> moved(n);
        for (std::size_t i = 0; i < n; ++i) {
          plain[i] = (in[i] - average) * scale * weight[i];
          moved[i] = plain[i] + bias[i];
        }
        CAPTURE(n);
        for_each_simd_target([&] {
          // A mean of 100 is rounded to 1e-5: that much of the spread of 3.
          const double bound = mean == 0 || n == 1 ? 2e-6 : 2e-5;
          std::vector<float> out = in;
          inference::cpu::layer_norm(out.data(), weight.data(), nullptr, n, 1e-5F, out.data());
          if (n > 1) CHECK(largest_error(out, plain) < bound);
          inference::cpu::layer_norm(in.data(), weight.data(), bias.data(), n, 1e-5F, out.data());
          CHECK(largest_error(out, moved) < bound);
        });
      }
    }
  }

  TEST_CASE("gelu and ge_glu are those of float64, at the ends of the range, too") {
    for (const std::size_t n : kSizes) {
      RandomFloats random(static_cast<std::uint32_t>(n));
      std::vector<float> gate = random.take(n, 6.0F);
      const std::vector<float> up = random.take(n);
      for (const float end : {-1e30F, -200.0F, -10.0F, -5.0F, 0.0F, 5.0F, 88.0F, 1e30F}) {
        gate[n / 2] = end;
        for_each_simd_target([&] {
          std::vector<float> out(n);
          std::vector<float> alone = gate;
          inference::cpu::ge_glu(gate.data(), up.data(), n, out.data());
          inference::cpu::gelu(alone.data(), n);
          for (std::size_t i = 0; i < n; ++i) {
            const double x = gate[i];
            const double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
            const double expected = x / 2 * (1 + std::tanh(u));
            CAPTURE(x);
            CHECK(alone[i] == doctest::Approx(expected).epsilon(2e-6));
            CHECK(out[i] == doctest::Approx(expected * up[i]).epsilon(2e-6));
          }
        });
      }
    }
  }

  TEST_CASE("scale and soft_cap work in place") {
    for (const std::size_t n : kSizes) {
      RandomFloats random(static_cast<std::uint32_t>(n));
      std::vector<float> before = random.take(n, 40.0F);
      before[n / 2] = 1e20F;
      for_each_simd_target([&] {
        std::vector<float> scaled = before;
        std::vector<float> capped = before;
        inference::cpu::scale(scaled.data(), n, 0.3F);
        inference::cpu::soft_cap(capped.data(), n, 30.0F);
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(scaled[i] == before[i] * 0.3F);
          CHECK(capped[i] == doctest::Approx(30 * std::tanh(before[i] / 30.0)).epsilon(2e-6));
        }
      });
    }
  }

  TEST_CASE("swi_glu is that of float64, at the ends of the range, too") {
    for (const std::size_t n : kSizes) {
      RandomFloats random(static_cast<std::uint32_t>(n));
      std::vector<float> gate = random.take(n, 10.0F);
      const std::vector<float> up = random.take(n);
      const float ends[] = {-1e30F, -200.0F, -104.0F, -88.0F, 0.0F, 88.0F, 1e30F};
      std::vector<double> expected(n);
      for (const float end : ends) {
        gate[n / 2] = end;
        double magnitude = 0;
        for (std::size_t i = 0; i < n; ++i) {
          expected[i] = gate[i] / (1 + std::exp(-double{gate[i]})) * up[i];
          magnitude = std::max(magnitude, std::fabs(expected[i]));
        }
        for_each_simd_target([&] {
          std::vector<float> out(n);
          inference::cpu::swi_glu(gate.data(), up.data(), n, out.data());
          for (std::size_t i = 0; i < n; ++i) {
            CAPTURE(gate[i]);
            CHECK(out[i] == doctest::Approx(expected[i]).epsilon(2e-6));
          }
        });
      }
    }
  }

  TEST_CASE("a gate that is not a number stays one") {
    const float gate[] = {std::numeric_limits<float>::quiet_NaN()};
    const float up[] = {1.0F};
    for_each_simd_target([&] {
      float out[] = {0.0F};
      inference::cpu::swi_glu(gate, up, 1, out);
      CHECK(std::isnan(out[0]));
    });
  }

  TEST_CASE("add adds in place") {
    for (const std::size_t n : kSizes) {
      RandomFloats random(static_cast<std::uint32_t>(n));
      const std::vector<float> in = random.take(n);
      const std::vector<float> before = random.take(n);
      for_each_simd_target([&] {
        std::vector<float> out = before;
        inference::cpu::add(in.data(), n, out.data());
        for (std::size_t i = 0; i < n; ++i)
          CHECK(out[i] == in[i] + before[i]);
      });
    }
  }

  TEST_CASE("rope_interleaved turns neighbours and leaves the rest") {
    const std::vector<float> before = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};  // two heads of five
    const std::vector<float> quarter_and_half = {0, 1, -1, 0};          // cos, sin
    std::vector<float> out = before;
    inference::cpu::rope_interleaved(out.data(), 2, 5, 2, quarter_and_half.data());
    CHECK(out == std::vector<float>{-2, 1, -3, -4, 5, -7, 6, -8, -9, 10});
  }

  TEST_CASE("ropes turn pairs by their angles and leave the rest") {
    constexpr std::uint32_t kHeads = 3;
    // Pairs: no whole vector, one and some more, many; dimensions that stay behind them.
    for (const std::uint32_t n_pairs : {3U, 21U, 48U}) {
      for (const std::uint32_t n_left : {0U, 4U}) {
        CAPTURE(n_pairs);
        CAPTURE(n_left);
        const std::uint32_t head_dim = 2 * n_pairs + n_left;
        RandomFloats random(n_pairs);
        const std::vector<float> before = random.take(std::size_t{kHeads} * head_dim);
        const std::vector<float> cos_sin = random.take(2 * n_pairs);
        const auto expect = [&](auto first_of, auto second_of) {
          std::vector<double> expected(before.begin(), before.end());
          for (std::uint32_t head = 0; head < kHeads; ++head) {
            for (std::uint32_t i = 0; i < n_pairs; ++i) {
              const std::size_t a = head * head_dim + first_of(i);
              const std::size_t b = head * head_dim + second_of(i);
              const double cosine = cos_sin[2 * i];
              const double sine = cos_sin[2 * i + 1];
              expected[a] = before[a] * cosine - before[b] * sine;
              expected[b] = before[a] * sine + before[b] * cosine;
            }
          }
          return expected;
        };
        const auto neox =
            expect([](std::uint32_t i) { return i; }, [&](std::uint32_t i) { return i + n_pairs; });
        const auto interleaved = expect([](std::uint32_t i) { return 2 * i; },
                                        [](std::uint32_t i) { return 2 * i + 1; });
        for_each_simd_target([&] {
          std::vector<float> out = before;
          inference::cpu::rope_neox(out.data(), kHeads, head_dim, n_pairs, cos_sin.data());
          CHECK(largest_error(out, neox) < 1e-6);
          out = before;
          inference::cpu::rope_interleaved(out.data(), kHeads, head_dim, n_pairs, cos_sin.data());
          CHECK(largest_error(out, interleaved) < 1e-6);
        });
      }
    }
  }
}

}  // namespace kinglet::test
