// What the processor does at best.
#pragma once

#include <cstdint>

#include "inference/device_limits.h"

namespace kinglet::inference::cpu {

/// Takes about a second; all threads work at once. The best of several rounds each.
DeviceLimits measure_limits(std::uint32_t n_threads);

}  // namespace kinglet::inference::cpu
