// What the processor does at best.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/base/result.h"
#include "inference/cpu/memory.h"
#include "inference/cpu/thread_pool.h"
#include "inference/device_limits.h"

namespace kinglet::inference::cpu {

/// How fast memory is read now: by all threads at once, past what caches hold, each at several
/// places as packed weights are, in huge pages, asked for ahead or left to the processor, whichever
/// is faster.
class ReadProbe {
 public:
  /// Error: kOutOfMemory.
  static Result<std::unique_ptr<ReadProbe>> create(std::uint32_t n_threads);
  /// Bytes a second; the best of some passes, which take a fifth of a second together.
  double measure();

 private:
  ReadProbe(std::uint32_t n_threads, Arena memory);

  ThreadPool pool_;
  Arena memory_;
  std::vector<std::uint64_t> sums_;
};

/// Takes about a second; all threads work at once. The best of several rounds each. Error:
/// kOutOfMemory.
Result<DeviceLimits> measure_limits(std::uint32_t n_threads);

}  // namespace kinglet::inference::cpu
