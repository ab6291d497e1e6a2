#include "vulkan/device.h"

#include <vector>

#include "vulkan/error.h"

namespace kinglet::vulkan {

Device::Device(std::shared_ptr<const Instance> instance,
               DeviceInfo info,
               const DeviceOptions& options)
    : instance_(std::move(instance)),
      info_(std::move(info)),
      options_(options),
      table_(instance_->table()) {}

Result<std::unique_ptr<const Device>> Device::create(std::shared_ptr<const Instance> instance,
                                                     const DeviceInfo& info,
                                                     const DeviceOptions& options) {
  if (!info.usable()) {
    return fail(
        ErrorCode::kUnsupported,
        info.name + " lacks " + info.missing + "; update its driver, or run with the CPU backend");
  }
  std::unique_ptr<Device> device(new Device(std::move(instance), info, options));
  DeviceTable& table = device->table_;

  std::vector<const char*> extensions;
  // An extension's feature struct joins the chain; core features sit in the 1.x structs.
  VkPhysicalDeviceVulkan12Features v12 = {};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  v12.bufferDeviceAddress = VK_TRUE;
  v12.timelineSemaphore = VK_TRUE;
  v12.scalarBlockLayout = VK_TRUE;
  v12.storageBuffer8BitAccess = VK_TRUE;
  VkPhysicalDeviceVulkan11Features v11 = {};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  v11.storageBuffer16BitAccess = VK_TRUE;
  v11.pNext = &v12;
  VkPhysicalDeviceFeatures2 features = {};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.features.shaderInt64 = VK_TRUE;
  features.pNext = &v11;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {};
  executable.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
  if (options.capture_statistics && info.optional.executable_statistics) {
    executable.pipelineExecutableInfo = VK_TRUE;
    v12.pNext = &executable;
    extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  }

  const float priority = 1.0F;
  VkDeviceQueueCreateInfo queue = {};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueFamilyIndex = info.queue_family;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkDeviceCreateInfo create = {};
  create.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  create.pNext = &features;
  create.queueCreateInfoCount = 1;
  create.pQueueCreateInfos = &queue;
  create.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
  create.ppEnabledExtensionNames = extensions.data();
  VkDevice handle = VK_NULL_HANDLE;
  TRY_VK(table.vkCreateDevice(info.handle, &create, nullptr, &handle), "opening " + info.name);
  device->device_ = handle;
  TRY(load_device_functions(table, handle));
  if (device->instance_->table_hook()) device->instance_->table_hook()(table);

  VkPhysicalDeviceMemoryProperties2 memory = {};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  table.vkGetPhysicalDeviceMemoryProperties2(info.handle, &memory);
  device->memory_ = memory.memoryProperties;
  table.vkGetDeviceQueue(handle, info.queue_family, 0, &device->queue_);
  return device;
}

Device::~Device() {
  if (device_ != VK_NULL_HANDLE && table_.vkDestroyDevice != nullptr) {
    table_.vkDestroyDevice(device_, nullptr);
  }
}

}  // namespace kinglet::vulkan
