// The search for the numbers that operations leave open, by running them on the device.
#pragma once

#include <chrono>

#include "vulkan/operations/formats.h"
#include "vulkan/pipeline.h"

namespace kinglet::vulkan {

/// Where `known` (formats.tuning is not looked at) lacks numbers of operations on these formats:
/// tries some of each, for about as long as `budget`, and adds the fastest. Products of one token
/// come first, in the order of the weights' types, then those of many, then attention.
///
/// Numbers that a search cut short leaves untried, and those of formats that no model before had,
/// are not in the result: they are tried another time. Takes some 130 MiB of the device's memory
/// meanwhile. Errors: kOutOfMemory and the device's own.
Result<Tuning> tune(const Device& device,
                    const Formats& formats,
                    std::chrono::duration<double> budget,
                    Tuning known = {});

/// Of all that tune() may choose between on this device: for read_tuning().
std::uint64_t candidates_hash(const DeviceInfo& device);

}  // namespace kinglet::vulkan
