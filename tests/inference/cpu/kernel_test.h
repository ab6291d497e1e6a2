// Shared by the tests of the CPU kernels: seeded numbers, and a loop over the SIMD targets that are
// compiled in and run on this machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <hwy/targets.h>

namespace kinglet::test {

/// Uniform in [-1, 1), the same on every machine.
class RandomFloats {
 public:
  explicit RandomFloats(std::uint32_t seed) : generator_(seed) {}
  float next() { return static_cast<float>(generator_() >> 8) * 0x1p-23F - 1.0F; }
  std::vector<float> take(std::size_t n, float scale = 1.0F) {
    std::vector<float> numbers(n);
    for (float& number : numbers)
      number = scale * next();
    return numbers;
  }

 private:
  std::mt19937 generator_;
};

/// Runs `body` with each SIMD target of this machine alone, so that tests do not only see the best.
template <class Body>
void for_each_simd_target(const Body& body) {
  constexpr std::int64_t kCompiled =
      HWY_AVX3_DL | HWY_AVX3 | HWY_AVX2 | HWY_SSE4 | HWY_NEON | HWY_EMU128 | HWY_SCALAR;
  const std::int64_t targets = hwy::SupportedTargets() & kCompiled;
  int n_run = 0;
  for (std::int64_t left = targets; left != 0; left &= left - 1) {
    const std::int64_t target = left & -left;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    const std::string name = hwy::TargetName(target);
    CAPTURE(name);
    body();
    ++n_run;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  CHECK(n_run > 0);
}

/// The largest difference, relative to the largest magnitude of `expected`. NaN when there is one.
inline double largest_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  double error = 0;
  double magnitude = 1e-30;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::fabs(actual[i] - expected[i]);
    if (!(difference <= error)) error = difference;
    magnitude = std::max(magnitude, std::fabs(expected[i]));
  }
  return error / magnitude;
}

}  // namespace kinglet::test
