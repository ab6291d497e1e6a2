#include "inference/gpu/submit_budget.h"

#include <algorithm>

namespace kinglet::inference::gpu {

namespace {

constexpr double kTargetSeconds = 0.05;
constexpr double kMaxGrowth = 4;
constexpr double kLeast = 100'000;
constexpr double kMost = 1e13;

std::uint64_t first_limit(vulkan::DeviceType type, PassKind kind) {
  const bool few = kind == PassKind::kFewTokens;
  switch (type) {
    // The slowest with a driver that does (GeForce GT 710): 0.18 T multiplications a second on
    // paper, a tenth of it reckoned with; memory of 14.4 GB/s, 4 bytes to a weight if the file is
    // f32.
    case vulkan::DeviceType::kDiscrete:
      return few ? 800'000'000 : 4'000'000'000;
    // Atoms: 0.07 to 0.1 T on paper; one channel of memory, which the processor uses, too.
    case vulkan::DeviceType::kIntegrated:
      return few ? 400'000'000 : 1'000'000'000;
    // Nobody knows what is behind the other two.
    case vulkan::DeviceType::kVirtual:
    case vulkan::DeviceType::kOther:
    case vulkan::DeviceType::kSoftware:
      break;
  }
  // Some tens of milliseconds on the slowest of drivers, lavapipe on two cores.
  return 8'000'000;
}

}  // namespace

SubmitBudget::SubmitBudget(vulkan::DeviceType type, PassKind kind)
    : limit_(first_limit(type, kind)) {}

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
