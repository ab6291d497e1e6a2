// The Vulkan backend: a model on a GPU, or on a software driver when asked for by name. Activations
// are f32 (precision class exact with a KvFormat::kF32 cache).
#pragma once

#include <memory>
#include <vector>

#include "inference/backend.h"
#include "vulkan/instance.h"

namespace kinglet::inference::gpu {

/// Usable Vulkan devices: discrete GPUs first, software drivers last. An error (no library, no
/// driver, no device that has what we need) says what to install or update.
Result<std::vector<DeviceInfo>> devices();

/// What the device that create_executor() would take does at best. Errors: those of devices(), and
/// the device's own.
Result<DeviceLimits> measure_limits(const ExecutorOptions& options);

/// Errors: those of devices(); kNotFound for a device that is not there; kUnsupported for a block
/// format or shape without a kernel (names the tensor); kOutOfMemory when the model and its cache
/// do not fit the device; kInvalidArgument for options out of range.
Result<std::unique_ptr<Executor>> create_executor(std::shared_ptr<const Model> model,
                                                  const ExecutorOptions& options);
/// The same on an instance of the caller's: with validation, or calls that fail when told to.
Result<std::unique_ptr<Executor>> create_executor_on(
    std::shared_ptr<const vulkan::Instance> instance,
    std::shared_ptr<const Model> model,
    const ExecutorOptions& options);

}  // namespace kinglet::inference::gpu
