#include "inference/gpu/submit_budget.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace kinglet::test {

namespace {

using inference::gpu::PassKind;
using inference::gpu::SubmitBudget;
using vulkan::DeviceType;

SubmitBudget unknown_device() {
  return {DeviceType::kSoftware, PassKind::kManyTokens};
}

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
      SubmitBudget budget = unknown_device();
      const double longest = longest_after(budget, {speed}, 20);
      CHECK(longest > 0.02);
      CHECK(longest < 0.1);
    }
  }

  TEST_CASE("a device that slows down a thousandfold is felt within three submits") {
    for (const double slower : {2.0, 10.0, 100.0, 1000.0}) {
      CAPTURE(slower);
      SubmitBudget budget = unknown_device();
      longest_after(budget, {1e12}, 20);
      const Device slow{1e12 / slower};
      longest_after(budget, slow, 2);
      CHECK(slow.seconds(budget.limit()) < 0.25);
    }
  }

  TEST_CASE("small submits, mostly launch, do not make a fast device look slow") {
    SubmitBudget budget = unknown_device();
    longest_after(budget, {1e12}, 20);
    const std::uint64_t before = budget.limit();
    for (int i = 0; i < 100; ++i)
      budget.record(1'000'000, 0.001);
    budget.record(0, 5);
    CHECK(budget.limit() == before);
  }

  TEST_CASE("the first pass is not cut finer than its device needs") {
    // A model of 3.8 billion weights and 512 tokens.
    constexpr double kWork = 3.8e9 * 512;
    for (const DeviceType type : {DeviceType::kDiscrete, DeviceType::kIntegrated}) {
      const SubmitBudget budget(type, PassKind::kManyTokens);
      CHECK(kWork / static_cast<double>(budget.limit()) < 2'000);
      // A card of one generation or ten ago, at a part of what it could.
      CHECK(Device{1e11}.seconds(budget.limit()) <= 0.05);
    }
    const SubmitBudget decoding(DeviceType::kDiscrete, PassKind::kFewTokens);
    CHECK(3.8e9 / static_cast<double>(decoding.limit()) < 10);
  }

  TEST_CASE("no first submit comes near a watchdog, on the slowest device of its type") {
    const auto seconds = [](DeviceType type, PassKind kind, double speed) {
      return Device{speed}.seconds(SubmitBudget(type, kind).limit());
    };
    // Arithmetic at a tenth of the data sheet's; f32 weights by memory's.
    CHECK(seconds(DeviceType::kDiscrete, PassKind::kManyTokens, 1.8e10) < 0.25);
    CHECK(seconds(DeviceType::kDiscrete, PassKind::kFewTokens, 14.4e9 / 4) < 0.25);
    CHECK(seconds(DeviceType::kIntegrated, PassKind::kManyTokens, 1e10) < 0.25);
    CHECK(seconds(DeviceType::kIntegrated, PassKind::kFewTokens, 8e9 / 4) < 0.25);
    for (const DeviceType type : {DeviceType::kSoftware, DeviceType::kVirtual, DeviceType::kOther})
      CHECK(seconds(type, PassKind::kManyTokens, 1.5e8) < 0.25);
  }

  TEST_CASE("the first submit is short even on lavapipe") {
    CHECK(Device{1.5e8}.seconds(unknown_device().limit()) < 0.1);
  }
}

}  // namespace kinglet::test
