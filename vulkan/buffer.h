// Device memory. Kernels reach it by address, so a buffer is an address range with an owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vulkan/device.h"
#include "vulkan/unique.h"

namespace kinglet::vulkan {

using DeviceAddress = VkDeviceAddress;

enum class MemoryUse : std::uint8_t {
  kDevice,    // the GPU's own memory: weights, cache, activations
  kUpload,    // written by the host, read by the device: positions, staging
  kReadback,  // written by the device, read by the host: logits
};

/// Owns a VkBuffer and its memory. Moved, not copied.
class Buffer {
 public:
  /// kOutOfMemory when the device has no room, kUnsupported above max_allocation_bytes. `what`
  /// names the contents in error messages ("token_embd.weight").
  static Result<Buffer> create(const Device& device,
                               std::uint64_t bytes,
                               MemoryUse use,
                               std::string_view what);

  std::uint64_t size() const { return size_; }
  DeviceAddress address() const { return address_; }
  VkBuffer handle() const { return buffer_.get(); }
  /// The bytes as the host sees them (coherent); empty for memory that only the device reaches.
  /// Always there for kUpload and kReadback, and for kDevice where host and device share memory.
  std::span<std::byte> mapped() const { return mapped_; }

 private:
  // The memory outlives the buffer bound to it.
  Unique<VkDeviceMemory> memory_;
  Unique<VkBuffer> buffer_;
  std::uint64_t size_ = 0;
  DeviceAddress address_ = 0;
  std::span<std::byte> mapped_;
};

/// Copies host bytes into a buffer and waits until they are there; through a staging buffer in
/// pieces where the host cannot reach the memory.
Result<void> upload(const Device& device,
                    const Buffer& buffer,
                    std::uint64_t offset,
                    std::span<const std::byte> bytes);
/// Copies from a buffer to the host and waits.
Result<void> download(const Device& device,
                      const Buffer& buffer,
                      std::uint64_t offset,
                      std::span<std::byte> bytes);

}  // namespace kinglet::vulkan
