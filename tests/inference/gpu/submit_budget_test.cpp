#include "inference/gpu/submit_budget.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace kinglet::test {

namespace {

using inference::gpu::SubmitBudget;

/// Seconds that a submit takes on a device: launching it, then so many multiplications a second.
struct Device {
  double speed;
  double launch = 2e-5;
  double seconds(std::uint64_t work) const { return launch + static_cast<double>(work) / speed; }
};

/// Submits as much as the budget allows; the longest submit of the last ones.
double longest_after(SubmitBudget& budget, const Device& device, int n_submits) {
  double longest = 0;
  for (int i = 0; i < n_submits; ++i) {
    longest = device.seconds(budget.limit());
    budget.record(budget.limit(), longest);
  }
  return longest;
}

}  // namespace

TEST_SUITE("inference/gpu/submit_budget") {
  TEST_CASE("submits come to tens of milliseconds on devices of any speed") {
    for (const double speed : {1e8, 1e9, 1e10, 1e11, 1e12, 1e13}) {
      CAPTURE(speed);
      SubmitBudget budget;
      const double longest = longest_after(budget, {speed}, 20);
      CHECK(longest > 0.02);
      CHECK(longest < 0.1);
    }
  }

  TEST_CASE("a device that slows down a thousandfold is felt within three submits") {
    for (const double slower : {2.0, 10.0, 100.0, 1000.0}) {
      CAPTURE(slower);
      SubmitBudget budget;
      longest_after(budget, {1e12}, 20);
      const Device slow{1e12 / slower};
      longest_after(budget, slow, 2);
      CHECK(slow.seconds(budget.limit()) < 0.25);
    }
  }

  TEST_CASE("small submits, mostly launch, do not make a fast device look slow") {
    SubmitBudget budget;
    longest_after(budget, {1e12}, 20);
    const std::uint64_t before = budget.limit();
    for (int i = 0; i < 100; ++i)
      budget.record(1'000'000, 0.001);
    budget.record(0, 5);
    CHECK(budget.limit() == before);
  }

  TEST_CASE("the first submit is short even on lavapipe") {
    CHECK(Device{1.5e8}.seconds(SubmitBudget().limit()) < 0.1);
  }
}

}  // namespace kinglet::test
