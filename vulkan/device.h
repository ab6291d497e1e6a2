// One logical device with a queue that computes and, where there is one, another that copies.
#pragma once

#include <memory>

#include "vulkan/instance.h"

namespace kinglet::vulkan {

struct DeviceOptions {
  /// Compiled pipelines can tell their registers and spills (Pipeline::statistics); the driver
  /// may compile more slowly.
  bool capture_statistics = false;
  /// Where the host reaches the device's own memory, it may write there. Off: it copies through
  /// staging memory as for a discrete GPU, so that tests see that way, too.
  bool map_device_memory = true;
};

/// Owns the VkDevice. Everything made on it (buffers, pipelines, streams) refers to it and must be
/// gone before it. Thread safety: the queue is used by one thread at a time, all else is immutable.
class Device {
 public:
  /// Vulkan 1.2 with buffer device addresses, timeline semaphores, 8- and 16-bit storage, 64-bit
  /// integers and subgroup arithmetic. kUnsupported names what is missing.
  static Result<std::unique_ptr<const Device>> create(std::shared_ptr<const Instance> instance,
                                                      const DeviceInfo& info,
                                                      const DeviceOptions& options = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DeviceInfo& info() const { return info_; }
  const DeviceOptions& options() const { return options_; }
  const DeviceTable& table() const { return table_; }
  VkDevice handle() const { return device_; }
  VkQueue queue() const { return queue_; }
  /// Of info().transfer_family; queue() where the device has no other.
  VkQueue transfer_queue() const { return transfer_queue_; }
  const VkPhysicalDeviceMemoryProperties& memory() const { return memory_; }

 private:
  Device(std::shared_ptr<const Instance> instance, DeviceInfo info, const DeviceOptions& options);

  std::shared_ptr<const Instance> instance_;
  DeviceInfo info_;
  DeviceOptions options_;
  DeviceTable table_;
  VkPhysicalDeviceMemoryProperties memory_ = {};
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  VkQueue transfer_queue_ = VK_NULL_HANDLE;
};

}  // namespace kinglet::vulkan
