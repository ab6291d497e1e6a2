// Ownership of Vulkan handles: Unique<VkBuffer> destroys its buffer. The destroy call is a trait
// of the handle's type. Whoever made the handle keeps the device and its table alive longer.
#pragma once

#include <utility>

#include "vulkan/device_table.h"

namespace kinglet::vulkan {

namespace detail {
template <class Handle>
inline constexpr std::nullptr_t kDestroy = nullptr;
template <>
inline constexpr auto kDestroy<VkBuffer> = &DeviceTable::vkDestroyBuffer;
template <>
inline constexpr auto kDestroy<VkCommandPool> = &DeviceTable::vkDestroyCommandPool;
template <>
inline constexpr auto kDestroy<VkDeviceMemory> = &DeviceTable::vkFreeMemory;
template <>
inline constexpr auto kDestroy<VkPipeline> = &DeviceTable::vkDestroyPipeline;
template <>
inline constexpr auto kDestroy<VkPipelineCache> = &DeviceTable::vkDestroyPipelineCache;
template <>
inline constexpr auto kDestroy<VkPipelineLayout> = &DeviceTable::vkDestroyPipelineLayout;
template <>
inline constexpr auto kDestroy<VkQueryPool> = &DeviceTable::vkDestroyQueryPool;
template <>
inline constexpr auto kDestroy<VkSemaphore> = &DeviceTable::vkDestroySemaphore;
template <>
inline constexpr auto kDestroy<VkShaderModule> = &DeviceTable::vkDestroyShaderModule;
}  // namespace detail

template <class Handle>
class Unique {
 public:
  Unique() = default;
  Unique(const DeviceTable& table, VkDevice device, Handle handle)
      : table_(&table), device_(device), handle_(handle) {}
  Unique(Unique&& other) noexcept
      : table_(other.table_), device_(other.device_), handle_(std::exchange(other.handle_, {})) {}
  Unique& operator=(Unique&& other) noexcept {
    if (this != &other) {
      reset();
      table_ = other.table_;
      device_ = other.device_;
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Unique(const Unique&) = delete;
  Unique& operator=(const Unique&) = delete;
  ~Unique() { reset(); }

  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != Handle{}; }
  void reset() {
    if (handle_ != Handle{}) {
      (table_->*detail::kDestroy<Handle>)(device_, std::exchange(handle_, {}), nullptr);
    }
  }

 private:
  const DeviceTable* table_ = nullptr;
  VkDevice device_ = VK_NULL_HANDLE;
  Handle handle_ = {};
};

}  // namespace kinglet::vulkan
