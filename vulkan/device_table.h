// Every Vulkan function that Kinglet calls, as one table per device. Nothing calls Vulkan except
// through it, so a test can put its own functions in and make the n-th call fail, and a machine
// without Vulkan has no symbol to miss.
#pragma once

#include <functional>

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <vulkan/vulkan.h>

#include "daemon/base/result.h"
#include "vulkan/cooperative_matrix.h"

namespace kinglet::vulkan {

// clang-format off
#define KINGLET_VULKAN_GLOBAL_FUNCTIONS(X)   \
  X(vkCreateInstance)                        \
  X(vkEnumerateInstanceExtensionProperties)  \
  X(vkEnumerateInstanceLayerProperties)      \
  X(vkEnumerateInstanceVersion)

#define KINGLET_VULKAN_INSTANCE_FUNCTIONS(X) \
  X(vkCreateDevice)                          \
  X(vkDestroyInstance)                       \
  X(vkEnumerateDeviceExtensionProperties)    \
  X(vkEnumeratePhysicalDevices)              \
  X(vkGetDeviceProcAddr)                     \
  X(vkGetPhysicalDeviceFeatures2)            \
  X(vkGetPhysicalDeviceMemoryProperties2)    \
  X(vkGetPhysicalDeviceProperties2)          \
  X(vkGetPhysicalDeviceQueueFamilyProperties)

#define KINGLET_VULKAN_DEVICE_FUNCTIONS(X)   \
  X(vkAllocateCommandBuffers)                \
  X(vkAllocateMemory)                        \
  X(vkBeginCommandBuffer)                    \
  X(vkBindBufferMemory)                      \
  X(vkCmdBindPipeline)                       \
  X(vkCmdCopyBuffer)                         \
  X(vkCmdDispatch)                           \
  X(vkCmdPipelineBarrier)                    \
  X(vkCmdPushConstants)                      \
  X(vkCmdResetQueryPool)                     \
  X(vkCmdWriteTimestamp)                     \
  X(vkCreateBuffer)                          \
  X(vkCreateCommandPool)                     \
  X(vkCreateComputePipelines)                \
  X(vkCreatePipelineCache)                   \
  X(vkCreatePipelineLayout)                  \
  X(vkCreateQueryPool)                       \
  X(vkCreateSemaphore)                       \
  X(vkCreateShaderModule)                    \
  X(vkDestroyBuffer)                         \
  X(vkDestroyCommandPool)                    \
  X(vkDestroyDevice)                         \
  X(vkDestroyPipeline)                       \
  X(vkDestroyPipelineCache)                  \
  X(vkDestroyPipelineLayout)                 \
  X(vkDestroyQueryPool)                      \
  X(vkDestroySemaphore)                      \
  X(vkDestroyShaderModule)                   \
  X(vkEndCommandBuffer)                      \
  X(vkFreeMemory)                            \
  X(vkGetBufferDeviceAddress)                \
  X(vkGetBufferMemoryRequirements)           \
  X(vkGetDeviceQueue)                        \
  X(vkGetPipelineCacheData)                  \
  X(vkGetQueryPoolResults)                   \
  X(vkMapMemory)                             \
  X(vkQueueSubmit)                           \
  X(vkResetCommandPool)                      \
  X(vkWaitSemaphores)

// Of extensions; null where the instance or the device was made without them.
#define KINGLET_VULKAN_OPTIONAL_INSTANCE_FUNCTIONS(X) \
  X(vkCreateDebugUtilsMessengerEXT)                   \
  X(vkDestroyDebugUtilsMessengerEXT)                  \
  X(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)

#define KINGLET_VULKAN_OPTIONAL_DEVICE_FUNCTIONS(X)   \
  X(vkGetPipelineExecutableStatisticsKHR)
// clang-format on

struct DeviceTable {
#define KINGLET_DECLARE(name) PFN_##name name = nullptr;
  KINGLET_VULKAN_GLOBAL_FUNCTIONS(KINGLET_DECLARE)
  KINGLET_VULKAN_INSTANCE_FUNCTIONS(KINGLET_DECLARE)
  KINGLET_VULKAN_DEVICE_FUNCTIONS(KINGLET_DECLARE)
  KINGLET_VULKAN_OPTIONAL_INSTANCE_FUNCTIONS(KINGLET_DECLARE)
  KINGLET_VULKAN_OPTIONAL_DEVICE_FUNCTIONS(KINGLET_DECLARE)
#undef KINGLET_DECLARE
};

/// Called each time functions were added to a table (library, instance, device), to replace some.
using TableHook = std::function<void(DeviceTable&)>;

/// Loads the Vulkan library (once per process) and fills the table's global functions. Not found
/// is ErrorCode::kNotFound.
Result<DeviceTable> load_library();
/// Each adds the functions of one more level; a missing one is ErrorCode::kUnsupported.
Result<void> load_instance_functions(DeviceTable& table, VkInstance instance);
Result<void> load_device_functions(DeviceTable& table, VkDevice device);

}  // namespace kinglet::vulkan
