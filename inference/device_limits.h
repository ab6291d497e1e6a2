// What a device does at best, measured by plain loops that do nothing else: the other half of a
// limit, beside what a pass costs (pass_cost.h).
#pragma once

#include <algorithm>

#include "inference/pass_cost.h"

namespace kinglet::inference {

struct DeviceLimits {
  double read_bytes_per_s = 0;
  double copy_bytes_per_s = 0;  ///< bytes read and bytes written, added
  double float_flops = 0;       ///< f32, multiply and add are two; a second
  double byte_ops = 0;          ///< 8-bit integer products and their sums, likewise; 0: none
  double half_flops = 0;        ///< f16 without matrix units; 0: none
  double matrix_flops = 0;      ///< f16 matrix units; 0: none
  double dispatch_seconds = 0;  ///< of an empty step that waits for the one before; 0: none

  /// The most arithmetic a second that any of the device's units does.
  double best_flops() const { return std::max({float_flops, half_flops, byte_ops, matrix_flops}); }

  /// Seconds below which no pass can be: memory is read while units compute.
  double least_seconds(const PassCost& cost, double flops_per_s) const {
    const double moving = static_cast<double>(cost.bytes()) / read_bytes_per_s;
    return std::max(moving, static_cast<double>(cost.flops()) / flops_per_s);
  }
};

}  // namespace kinglet::inference
