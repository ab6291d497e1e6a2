#include "inference/gpu/submit_budget.h"

#include <algorithm>

namespace kinglet::inference::gpu {

namespace {

constexpr double kTargetSeconds = 0.05;
constexpr double kMaxGrowth = 4;
constexpr double kLeast = 100'000;
constexpr double kMost = 1e13;

}  // namespace

void SubmitBudget::record(std::uint64_t work, double seconds) {
  if (work == 0) return;
  const double speed = static_cast<double>(work) / std::max(seconds, 1e-6);
  const double wished = std::clamp(speed * kTargetSeconds, kLeast, kMost);
  const auto now = static_cast<double>(limit_);
  // A submit much smaller than the limit was mostly launch and wait: it cannot show that the
  // device is slow unless it took long.
  if (wished < now && seconds < kTargetSeconds / 2) return;
  limit_ = static_cast<std::uint64_t>(std::min(wished, now * kMaxGrowth));
}

}  // namespace kinglet::inference::gpu
