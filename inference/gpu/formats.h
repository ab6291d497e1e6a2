// What a model asks of the operations on a device.
#pragma once

#include "inference/backend.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

/// Errors: those of Weights::types_of().
Result<vulkan::Formats> formats_of(const Model& model, KvFormat kv_format, ProductPath path);

/// What suits the device of the numbers that operations on these formats leave open: found at
/// earlier starts, or now, in a second or two. Nothing on software drivers, where trying takes long
/// and finds little, and where it could not be kept; options.tuning says otherwise. A search that
/// fails finds nothing.
vulkan::Tuning tuning_of(const vulkan::Device& device,
                         const vulkan::Formats& formats,
                         const ExecutorOptions& options);

/// The file of a device in a folder: "KIND-VENDOR-DEVICE", so that two devices do not replace each
/// other's. Empty if the folder is.
std::filesystem::path device_file(const std::filesystem::path& folder,
                                  const std::string& kind,
                                  const vulkan::DeviceInfo& device);

}  // namespace kinglet::inference::gpu
