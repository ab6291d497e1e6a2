// The CPU backend: plain, right, multi-threaded. Weights are read as they lie in the file, values
// are multiplied as f32 (precision class exact with a KvFormat::kF32 cache).
#pragma once

#include <memory>
#include <vector>

#include "inference/backend.h"

namespace kinglet::inference::cpu {

/// One device: this machine's processor.
Result<std::vector<DeviceInfo>> devices();

/// What its threads do at best, as many as create_executor() would start.
Result<DeviceLimits> measure_limits(const ExecutorOptions& options);

/// Errors: kUnsupported for a block format without a CPU kernel (names the tensor), kOutOfMemory
/// for a cache that does not fit, kInvalidArgument for options out of range.
Result<std::unique_ptr<Executor>> create_executor(std::shared_ptr<const Model> model,
                                                  const ExecutorOptions& options);

}  // namespace kinglet::inference::cpu
