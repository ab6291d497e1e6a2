// Files of what was found out about one device: its compiled pipelines, its tuning. Drivers take a
// cache with a right header and rotten contents without a word, so the contents travel in an
// envelope of our own:
//
//   offset  bytes  field (little endian)
//   0       8      magic: "kingpipe", "kingtune"
//   8       4      version, 1
//   12      4      vendor id
//   16      4      device id
//   20      4      driver version
//   24      16     pipeline cache UUID
//   40      8      hash of all kernels (xxh3-64)
//   48      8      payload bytes
//   56      8      hash of the bytes before this field and of the payload (xxh3-64)
//   64      …      payload: what vkGetPipelineCacheData gave; "candidates HASH\n" and
//   Tuning::text()
//
// A published version's layout does not change.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "vulkan/instance.h"

namespace kinglet::vulkan {

enum class DeviceFile : std::uint8_t { kPipelines, kTuning };

std::vector<std::byte> seal(DeviceFile kind,
                            const DeviceInfo& device,
                            std::span<const std::byte> payload);
/// The payload, or nothing when a byte is wrong or it was made for another device, driver or set of
/// kernels.
std::span<const std::byte> open_sealed(DeviceFile kind,
                                       const DeviceInfo& device,
                                       std::span<const std::byte> envelope);

/// The payload of the file; empty when the file is not there or its envelope does not hold.
std::vector<std::byte> read_device_file(DeviceFile kind,
                                        const DeviceInfo& device,
                                        const std::filesystem::path& file);
/// Replaces the file as a whole, readable by the user alone. kIo.
Result<void> write_device_file(DeviceFile kind,
                               const DeviceInfo& device,
                               const std::filesystem::path& file,
                               std::span<const std::byte> payload);

}  // namespace kinglet::vulkan
