// How much work one submit may hold. A desktop's watchdog resets a GPU after as little as two
// seconds, and a waiting keystroke gets in between submits: so a submit aims at 50 ms. Nobody knows
// a device's speed beforehand; it is measured while working.
#pragma once

#include <cstdint>

namespace kinglet::inference::gpu {

class SubmitBudget {
 public:
  /// Multiplications that the next submit may hold. Operations are not cut below what their kernels
  /// do in one piece, so a submit may hold somewhat more.
  std::uint64_t limit() const { return limit_; }

  /// A submit of `work` multiplications took `seconds` on the device. Slower than thought counts at
  /// once; faster counts step by step, because small submits say little.
  void record(std::uint64_t work, double seconds);

 private:
  // Some tens of milliseconds on the slowest of drivers, lavapipe on two cores.
  static constexpr std::uint64_t kFirst = 8'000'000;

  std::uint64_t limit_ = kFirst;
};

}  // namespace kinglet::inference::gpu
