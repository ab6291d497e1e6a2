// What a device does at best, measured by kernels that do nothing else.
#pragma once

#include "vulkan/pipeline.h"

namespace kinglet::vulkan {

struct Peaks {
  double read_bytes_per_s = 0;
  double copy_bytes_per_s = 0;  // bytes read and bytes written, added
  double float_flops = 0;       // f32; a multiplication and an addition are two
  double dispatch_seconds = 0;  // of an empty dispatch that waits for the one before
};

/// Takes a second or two and some memory, less on a software driver. The best of several rounds.
Result<Peaks> measure_peaks(const Device& device, Pipelines& pipelines);

}  // namespace kinglet::vulkan
