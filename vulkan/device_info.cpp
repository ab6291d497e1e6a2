#include "vulkan/device_info.h"

#include <algorithm>
#include <cstring>

#include "vulkan/error.h"

namespace kinglet::vulkan {

namespace {

constexpr std::uint32_t kNeededInvocations = 256;
constexpr std::uint32_t kNeededSharedBytes = 32'768;

/// Structures of extensions, each hung on the one before.
class Chain {
 public:
  explicit Chain(void*& begin) : next_(&begin) {}
  void add(auto& structure) {
    *next_ = &structure;
    next_ = &structure.pNext;
  }

 private:
  void** next_;
};

bool has(const std::vector<std::string>& extensions, std::string_view name) {
  return std::find(extensions.begin(), extensions.end(), name) != extensions.end();
}

DeviceType device_type(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DeviceType::kDiscrete;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DeviceType::kIntegrated;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DeviceType::kVirtual;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DeviceType::kSoftware;
    default:
      return DeviceType::kOther;
  }
}

Result<std::vector<std::string>> device_extensions(const DeviceTable& table,
                                                   VkPhysicalDevice device) {
  std::uint32_t count = 0;
  TRY_VK(table.vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr),
         "listing a device's extensions");
  std::vector<VkExtensionProperties> properties(count);
  const VkResult listed =
      table.vkEnumerateDeviceExtensionProperties(device, nullptr, &count, properties.data());
  // More extensions since the first call is nobody's trouble.
  if (listed != VK_INCOMPLETE) TRY_VK(listed, "listing a device's extensions");
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i)
    names.emplace_back(properties[i].extensionName);
  return names;
}

void read_memory(const DeviceTable& table, DeviceInfo& info) {
  VkPhysicalDeviceMemoryProperties2 memory = {};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  table.vkGetPhysicalDeviceMemoryProperties2(info.handle, &memory);
  for (std::uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; ++i) {
    const VkMemoryHeap& heap = memory.memoryProperties.memoryHeaps[i];
    info.heaps.push_back({heap.size, (heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0});
  }
}

void add_missing(DeviceInfo& info, bool present, std::string_view what) {
  if (present) return;
  if (!info.missing.empty()) info.missing += ", ";
  info.missing += what;
}

// The compute family: one without graphics where there is one, so that a desktop's drawing and our
// work do not queue behind each other.
void read_queues(const DeviceTable& table, DeviceInfo& info, double timestamp_period_ns) {
  std::uint32_t count = 0;
  table.vkGetPhysicalDeviceQueueFamilyProperties(info.handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  table.vkGetPhysicalDeviceQueueFamilyProperties(info.handle, &count, families.data());
  bool found = false;
  bool found_without_graphics = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const VkQueueFlags flags = families[i].queueFlags;
    if ((flags & VK_QUEUE_COMPUTE_BIT) == 0 || families[i].queueCount == 0) continue;
    const bool without_graphics = (flags & VK_QUEUE_GRAPHICS_BIT) == 0;
    if (found && (found_without_graphics || !without_graphics)) continue;
    found = true;
    found_without_graphics = without_graphics;
    info.queue_family = i;
    info.timestamp_bits = families[i].timestampValidBits;
    info.timestamp_period_ns = info.timestamp_bits > 0 ? timestamp_period_ns : 0;
  }
  add_missing(info, found, "a compute queue");
  info.transfer_family = info.queue_family;
  for (std::uint32_t i = 0; i < count; ++i) {
    const VkQueueFlags work =
        families[i].queueFlags & ~(VK_QUEUE_SPARSE_BINDING_BIT | VK_QUEUE_PROTECTED_BIT);
    if (work != VK_QUEUE_TRANSFER_BIT || families[i].queueCount == 0) continue;
    info.transfer_family = i;
    break;
  }
}

/// The first of those that multiply f16 and add in f32; 16 x 16 x 16 where there is a choice.
void read_matrix_shape(const DeviceTable& table, DeviceInfo& info) {
  const auto read = table.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR;
  std::uint32_t count = 0;
  if (read == nullptr || read(info.handle, &count, nullptr) != VK_SUCCESS) return;
  VkCooperativeMatrixPropertiesKHR empty = {};
  empty.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
  std::vector<VkCooperativeMatrixPropertiesKHR> found(count, empty);
  if (read(info.handle, &count, found.data()) != VK_SUCCESS) return;
  for (const auto& row : found) {
    const bool fits =
        row.AType == VK_COMPONENT_TYPE_FLOAT16_KHR && row.BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
        row.CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
        row.ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR && row.scope == VK_SCOPE_SUBGROUP_KHR &&
        row.MSize % 2 == 0 && row.KSize % 4 == 0;
    const bool is_best = row.MSize == 16 && row.NSize == 16 && row.KSize == 16;
    if (!fits || (info.optional.cooperative_matrix && !is_best)) continue;
    info.optional.cooperative_matrix = true;
    info.matrix = {row.MSize, row.NSize, row.KSize};
  }
}

void read_features(const DeviceTable& table,
                   DeviceInfo& info,
                   const std::vector<std::string>& extensions) {
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {};
  dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size = {};
  subgroup_size.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
  VkPhysicalDeviceCooperativeMatrixFeaturesNV matrix = {};
  matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV;
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR khr_matrix = {};
  khr_matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {};
  executable.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
  VkPhysicalDevicePipelineCreationCacheControlFeatures cache_control = {};
  cache_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_CREATION_CACHE_CONTROL_FEATURES;
  VkPhysicalDeviceVulkan12Features v12 = {};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  VkPhysicalDeviceVulkan11Features v11 = {};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  VkPhysicalDeviceFeatures2 features = {};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &v11;
  v11.pNext = &v12;
  Chain chain(v12.pNext);
  const auto ask = [&](const char* extension, auto& structure) {
    if (has(extensions, extension)) chain.add(structure);
  };
  // Part of Vulkan 1.3, too; but we speak 1.2, and drivers of 1.3 still name the extensions.
  ask(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME, dot);
  ask(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, subgroup_size);
  ask(VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME, matrix);
  ask(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, khr_matrix);
  ask(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME, executable);
  ask(VK_EXT_PIPELINE_CREATION_CACHE_CONTROL_EXTENSION_NAME, cache_control);
  table.vkGetPhysicalDeviceFeatures2(info.handle, &features);

  add_missing(info, v12.bufferDeviceAddress == VK_TRUE, "buffer device addresses");
  add_missing(info, v12.timelineSemaphore == VK_TRUE, "timeline semaphores");
  add_missing(info, v12.scalarBlockLayout == VK_TRUE, "scalar block layout");
  add_missing(info, v12.storageBuffer8BitAccess == VK_TRUE, "8-bit storage");
  add_missing(info, v11.storageBuffer16BitAccess == VK_TRUE, "16-bit storage");
  add_missing(info, features.features.shaderInt64 == VK_TRUE, "64-bit integers in shaders");
  info.optional.float16_arithmetic = v12.shaderFloat16 == VK_TRUE;
  info.optional.int8_arithmetic = v12.shaderInt8 == VK_TRUE;
  info.optional.int16_arithmetic = features.features.shaderInt16 == VK_TRUE;
  info.optional.integer_dot_product = dot.shaderIntegerDotProduct == VK_TRUE;
  info.optional.subgroup_size_control =
      subgroup_size.subgroupSizeControl == VK_TRUE && subgroup_size.computeFullSubgroups == VK_TRUE;
  info.optional.cooperative_matrix_nv = matrix.cooperativeMatrix == VK_TRUE;
  // Its SPIR-V is of the Vulkan memory model.
  if (khr_matrix.cooperativeMatrix == VK_TRUE && v12.vulkanMemoryModel == VK_TRUE &&
      v12.vulkanMemoryModelDeviceScope == VK_TRUE && info.optional.float16_arithmetic) {
    read_matrix_shape(table, info);
  }
  info.optional.executable_statistics = executable.pipelineExecutableInfo == VK_TRUE;
  info.optional.creation_cache_control = cache_control.pipelineCreationCacheControl == VK_TRUE;
  info.optional.memory_budget = has(extensions, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
}

void read_limits(const DeviceTable& table,
                 DeviceInfo& info,
                 const std::vector<std::string>& extensions) {
  VkPhysicalDeviceSubgroupSizeControlProperties sizes = {};
  sizes.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES;
  VkPhysicalDeviceMaintenance4Properties buffers = {};
  buffers.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES;
  VkPhysicalDeviceProperties2 properties = {};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  Chain chain(properties.pNext);
  if (info.optional.subgroup_size_control) chain.add(sizes);
  if (has(extensions, VK_KHR_MAINTENANCE_4_EXTENSION_NAME)) chain.add(buffers);
  table.vkGetPhysicalDeviceProperties2(info.handle, &properties);
  if (buffers.maxBufferSize != 0) {
    info.max_allocation_bytes = std::min(info.max_allocation_bytes, buffers.maxBufferSize);
  }
  // The feature lets other stages choose, too; ours may be left out.
  if ((sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0) {
    info.min_subgroup_size = sizes.minSubgroupSize;
    info.max_subgroup_size = sizes.maxSubgroupSize;
  } else {
    info.optional.subgroup_size_control = false;
  }
  // Intel's matrix units work for the narrowest subgroups; what its driver takes by itself is
  // wider.
  info.matrix_subgroup_size = info.vendor_id == kIntelVendor && info.optional.subgroup_size_control
                                  ? info.min_subgroup_size
                                  : info.subgroup_size;
}

}  // namespace

std::string_view type_name(DeviceType type) {
  switch (type) {
    case DeviceType::kDiscrete:
      return "discrete GPU";
    case DeviceType::kIntegrated:
      return "integrated GPU";
    case DeviceType::kVirtual:
      return "virtual GPU";
    case DeviceType::kSoftware:
      return "software driver";
    case DeviceType::kOther:
      break;
  }
  return "other device";
}

std::uint64_t DeviceInfo::device_local_bytes() const {
  std::uint64_t bytes = 0;
  for (const MemoryHeap& heap : heaps)
    bytes += heap.device_local ? heap.bytes : 0;
  return bytes;
}

Result<DeviceInfo> read_device(const DeviceTable& table, VkPhysicalDevice handle) {
  DeviceInfo info;
  info.handle = handle;
  VkPhysicalDeviceDriverProperties driver = {};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  VkPhysicalDeviceVulkan11Properties v11 = {};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES;
  VkPhysicalDeviceProperties2 properties = {};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  // A 1.1 driver ignores what it does not know; its fields stay zero and it is refused below.
  properties.pNext = &v11;
  v11.pNext = &driver;
  table.vkGetPhysicalDeviceProperties2(handle, &properties);
  const VkPhysicalDeviceProperties& core = properties.properties;
  info.name = core.deviceName;
  info.driver_name = driver.driverName;
  info.driver_version = driver.driverInfo;
  info.type = device_type(core.deviceType);
  info.api_version = core.apiVersion;
  info.vendor_id = core.vendorID;
  info.device_id = core.deviceID;
  info.driver_number = core.driverVersion;
  std::memcpy(info.pipeline_cache_uuid, core.pipelineCacheUUID, VK_UUID_SIZE);
  info.max_group_count = std::min({core.limits.maxComputeWorkGroupCount[0],
                                   core.limits.maxComputeWorkGroupCount[1],
                                   core.limits.maxComputeWorkGroupCount[2]});
  info.max_workgroup_invocations =
      std::min(core.limits.maxComputeWorkGroupInvocations, core.limits.maxComputeWorkGroupSize[0]);
  info.max_shared_bytes = core.limits.maxComputeSharedMemorySize;
  info.max_allocation_bytes = v11.maxMemoryAllocationSize;
  info.subgroup_size = v11.subgroupSize;
  info.min_subgroup_size = v11.subgroupSize;
  info.max_subgroup_size = v11.subgroupSize;
  // What kernels take without asking: argmax and the norms so many invocations, tiled attention so
  // much shared memory. Vulkan promises half of both.
  add_missing(info,
              info.max_workgroup_invocations >= kNeededInvocations,
              "workgroups of " + std::to_string(kNeededInvocations) + " invocations");
  add_missing(info,
              info.max_shared_bytes >= kNeededSharedBytes,
              std::to_string(kNeededSharedBytes >> 10) + " KiB of shared memory");
  read_memory(table, info);
  if (core.apiVersion < kApiVersion) {
    add_missing(info, false, "Vulkan 1.2");
    return info;
  }
  const auto extensions = TRY(device_extensions(table, handle));
  read_queues(table, info, core.limits.timestampPeriod);
  read_features(table, info, extensions);
  read_limits(table, info, extensions);
  constexpr VkSubgroupFeatureFlags kSubgroup =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  add_missing(info,
              (v11.subgroupSupportedOperations & kSubgroup) == kSubgroup &&
                  (v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0,
              "subgroup arithmetic");
  return info;
}

}  // namespace kinglet::vulkan
