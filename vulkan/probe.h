// What a device does at best, measured by kernels that do nothing else.
#pragma once

#include "vulkan/pipeline.h"

namespace kinglet::vulkan {

struct Peaks {
  double read_bytes_per_s = 0;
  double copy_bytes_per_s = 0;  // bytes read and bytes written, added
  double float_flops = 0;       // f32; a multiplication and an addition are two
  double half_flops = 0;        // f16; 0: has no such arithmetic
  double byte_ops = 0;          // integer dot products of bytes, likewise; 0: has none
  double matrix_flops = 0;      // cooperative matrices of f16 with f32 sums; 0: has none that work
  double dispatch_seconds = 0;  // of an empty dispatch that waits for the one before
};

/// Takes a second or two and up to half of the device's memory, at most 4 GiB; less on a software
/// driver. The best of several rounds.
Result<Peaks> measure_peaks(const Device& device, Pipelines& pipelines);

}  // namespace kinglet::vulkan
