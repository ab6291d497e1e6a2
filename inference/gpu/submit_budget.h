// How much work one submit may hold. A desktop's watchdog resets a GPU after as little as two
// seconds, and a waiting keystroke gets in between submits: so a submit aims at 50 ms, and
// the first ones are cut for less than 250 on the slowest device known. Nobody knows a device's
// speed beforehand; it is measured while working.
#pragma once

#include <cstdint>

#include "vulkan/device_info.h"

namespace kinglet::inference::gpu {

/// What the passes of a budget wait for: few tokens for memory, many for arithmetic.
enum class PassKind : std::uint8_t { kFewTokens, kManyTokens };

class SubmitBudget {
 public:
  /// Begins with what even the slowest device of this type does in 250 ms, and most in less than
  /// 50: the first pass is cut by it from its beginning to its end.
  SubmitBudget(vulkan::DeviceType type, PassKind kind);

  /// Multiplications that the next submit may hold. Operations are not cut below what their kernels
  /// do in one piece, so a submit may hold somewhat more.
  std::uint64_t limit() const { return limit_; }

  /// A submit of `work` multiplications took `seconds` on the device. Slower than thought counts at
  /// once; faster counts step by step, because small submits say little.
  void record(std::uint64_t work, double seconds);

 private:
  std::uint64_t limit_;
};

}  // namespace kinglet::inference::gpu
