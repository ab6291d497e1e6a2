// What the processor does at best.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/cpu/thread_pool.h"
#include "inference/device_limits.h"

namespace kinglet::inference::cpu {

/// How fast memory is read now: by all threads at once, past what caches hold.
class ReadProbe {
 public:
  explicit ReadProbe(std::uint32_t n_threads);
  /// Bytes a second; the best of some passes, which take a tenth of a second together.
  double measure();

 private:
  ThreadPool pool_;
  std::vector<std::uint64_t> words_;
  std::vector<std::uint64_t> sums_;
};

/// Takes about a second; all threads work at once. The best of several rounds each.
DeviceLimits measure_limits(std::uint32_t n_threads);

}  // namespace kinglet::inference::cpu
