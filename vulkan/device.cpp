#include "vulkan/device.h"

#include <array>
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
  v12.shaderFloat16 = info.optional.float16_arithmetic ? VK_TRUE : VK_FALSE;
  v12.vulkanMemoryModel = info.optional.cooperative_matrix ? VK_TRUE : VK_FALSE;
  // Kernels hand on what they wrote to the whole device (kernels/arrival.glsl).
  v12.vulkanMemoryModelDeviceScope = v12.vulkanMemoryModel;
  v12.shaderInt8 = info.optional.int8_arithmetic ? VK_TRUE : VK_FALSE;
  VkPhysicalDeviceVulkan11Features v11 = {};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  v11.storageBuffer16BitAccess = VK_TRUE;
  v11.pNext = &v12;
  VkPhysicalDeviceFeatures2 features = {};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.features.shaderInt64 = VK_TRUE;
  features.features.shaderInt16 = info.optional.int16_arithmetic ? VK_TRUE : VK_FALSE;
  features.pNext = &v11;
  void** next = &v12.pNext;
  const auto enable = [&](bool wanted, auto& structure, const char* extension) {
    if (!wanted) return;
    *next = &structure;
    next = &structure.pNext;
    extensions.push_back(extension);
  };
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {};
  dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  dot.shaderIntegerDotProduct = VK_TRUE;
  enable(info.optional.integer_dot_product, dot, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size = {};
  subgroup_size.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
  subgroup_size.subgroupSizeControl = VK_TRUE;
  subgroup_size.computeFullSubgroups = VK_TRUE;
  enable(info.optional.subgroup_size_control,
         subgroup_size,
         VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {};
  matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  matrix.cooperativeMatrix = VK_TRUE;
  enable(info.optional.cooperative_matrix, matrix, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {};
  executable.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
  executable.pipelineExecutableInfo = VK_TRUE;
  enable(options.capture_statistics && info.optional.executable_statistics,
         executable,
         VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  VkPhysicalDevicePipelineCreationCacheControlFeatures cache_control = {};
  cache_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_CREATION_CACHE_CONTROL_FEATURES;
  cache_control.pipelineCreationCacheControl = VK_TRUE;
  enable(info.optional.creation_cache_control,
         cache_control,
         VK_EXT_PIPELINE_CREATION_CACHE_CONTROL_EXTENSION_NAME);

  const float priority = 1.0F;
  std::array<VkDeviceQueueCreateInfo, 2> queues = {};
  for (VkDeviceQueueCreateInfo& queue : queues) {
    queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
    queue.queueCount = 1;
    queue.pQueuePriorities = &priority;
  }
  queues[0].queueFamilyIndex = info.queue_family;
  queues[1].queueFamilyIndex = info.transfer_family;
  VkDeviceCreateInfo create = {};
  create.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  create.pNext = &features;
  create.queueCreateInfoCount = info.transfer_family != info.queue_family ? 2 : 1;
  create.pQueueCreateInfos = queues.data();
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
  table.vkGetDeviceQueue(handle, info.transfer_family, 0, &device->transfer_queue_);
  return device;
}

Device::~Device() {
  if (device_ != VK_NULL_HANDLE && table_.vkDestroyDevice != nullptr) {
    table_.vkDestroyDevice(device_, nullptr);
  }
}

}  // namespace kinglet::vulkan
