#include "vulkan/instance.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "vulkan/error.h"

namespace kinglet::vulkan {

namespace {

constexpr std::uint32_t kApiVersion = VK_API_VERSION_1_2;
// Bigger allocations fail on some drivers although there is room.
constexpr std::uint64_t kMaxAllocationBytes = std::uint64_t{1} << 30;
constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

VKAPI_ATTR VkBool32 VKAPI_CALL forward_message(VkDebugUtilsMessageSeverityFlagBitsEXT /*severity*/,
                                               VkDebugUtilsMessageTypeFlagsEXT /*types*/,
                                               const VkDebugUtilsMessengerCallbackDataEXT* data,
                                               void* options) {
  static_cast<const InstanceOptions*>(options)->on_message(data->pMessage);
  return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info(InstanceOptions& options) {
  VkDebugUtilsMessengerCreateInfoEXT info = {};
  info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
  info.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  info.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT |
                     VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                     VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
  info.pfnUserCallback = forward_message;
  info.pUserData = &options;
  return info;
}

bool contains_ignoring_case(const std::string& text, const std::string& part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) ==
                  std::tolower(static_cast<unsigned char>(b));
         }) != text.end();
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
  const auto has = [&](const char* name) {
    return std::find(extensions.begin(), extensions.end(), name) != extensions.end();
  };
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
  void** next = &v12.pNext;
  const auto ask = [&](bool offered, auto& structure) {
    if (!offered) return;
    *next = &structure;
    next = &structure.pNext;
  };
  // Part of Vulkan 1.3, too; but we speak 1.2, and drivers of 1.3 still name the extensions.
  ask(has(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME), dot);
  ask(has(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME), subgroup_size);
  ask(has(VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME), matrix);
  ask(has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME), khr_matrix);
  ask(has(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME), executable);
  ask(has(VK_EXT_PIPELINE_CREATION_CACHE_CONTROL_EXTENSION_NAME), cache_control);
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
      info.optional.float16_arithmetic) {
    read_matrix_shape(table, info);
  }
  info.optional.executable_statistics = executable.pipelineExecutableInfo == VK_TRUE;
  info.optional.creation_cache_control = cache_control.pipelineCreationCacheControl == VK_TRUE;
  info.optional.memory_budget = has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
}

void read_subgroup_sizes(const DeviceTable& table, DeviceInfo& info) {
  VkPhysicalDeviceSubgroupSizeControlProperties sizes = {};
  sizes.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES;
  VkPhysicalDeviceProperties2 properties = {};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &sizes;
  table.vkGetPhysicalDeviceProperties2(info.handle, &properties);
  if ((sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) == 0) return;
  info.min_subgroup_size = sizes.minSubgroupSize;
  info.max_subgroup_size = sizes.maxSubgroupSize;
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
  info.max_allocation_bytes = std::min(kMaxAllocationBytes, v11.maxMemoryAllocationSize);
  info.subgroup_size = v11.subgroupSize;
  info.min_subgroup_size = v11.subgroupSize;
  info.max_subgroup_size = v11.subgroupSize;
  read_memory(table, info);
  if (core.apiVersion < kApiVersion) {
    add_missing(info, false, "Vulkan 1.2");
    return info;
  }
  const auto extensions = TRY(device_extensions(table, handle));
  read_queues(table, info, core.limits.timestampPeriod);
  read_features(table, info, extensions);
  if (info.optional.subgroup_size_control) read_subgroup_sizes(table, info);
  constexpr VkSubgroupFeatureFlags kSubgroup =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  add_missing(info,
              (v11.subgroupSupportedOperations & kSubgroup) == kSubgroup &&
                  (v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0,
              "subgroup arithmetic");
  return info;
}

// Lower is better.
int rank(DeviceType type) {
  switch (type) {
    case DeviceType::kDiscrete:
      return 0;
    case DeviceType::kIntegrated:
      return 1;
    case DeviceType::kVirtual:
      return 2;
    case DeviceType::kOther:
      return 3;
    case DeviceType::kSoftware:
      return 4;
  }
  return 5;
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

Result<std::shared_ptr<const Instance>> Instance::create(InstanceOptions options) {
  const std::shared_ptr<Instance> instance(new Instance(std::move(options)));
  DeviceTable& table = instance->table_;
  InstanceOptions& kept = instance->options_;
  table = TRY(load_library());
  if (kept.table_hook) kept.table_hook(table);

  std::uint32_t version = 0;
  TRY_VK(table.vkEnumerateInstanceVersion(&version), "asking for the Vulkan library's version");
  if (version < kApiVersion) {
    return fail(ErrorCode::kUnsupported,
                "the Vulkan library is older than 1.2; update libvulkan1, or run with the CPU "
                "backend");
  }

  std::vector<const char*> extensions;
  std::vector<const char*> layers;
  VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(kept);
  VkValidationFeaturesEXT validation = {};
  validation.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT;
  const std::array<VkValidationFeatureEnableEXT, 3> gpu_assisted = {
      VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_EXT,
      VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_RESERVE_BINDING_SLOT_EXT,
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  VkInstanceCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  const bool listens = kept.on_message != nullptr;
  if (listens) {
    extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    info.pNext = &messenger;
  }
  if (kept.validation != Validation::kOff) {
    layers.push_back(kValidationLayer);
    if (kept.validation == Validation::kGpuAssisted) {
      extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
      validation.enabledValidationFeatureCount = gpu_assisted.size();
      validation.pEnabledValidationFeatures = gpu_assisted.data();
      validation.pNext = info.pNext;
      info.pNext = &validation;
    }
  }
  VkApplicationInfo application = {};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = "kinglet";
  application.pEngineName = "kinglet";
  application.apiVersion = kApiVersion;
  info.pApplicationInfo = &application;
  info.enabledLayerCount = static_cast<std::uint32_t>(layers.size());
  info.ppEnabledLayerNames = layers.data();
  info.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();
  const VkResult created = table.vkCreateInstance(&info, nullptr, &instance->instance_);
  if (created == VK_ERROR_LAYER_NOT_PRESENT) {
    return fail(ErrorCode::kNotFound,
                std::string("the validation layer ") + kValidationLayer +
                    " is not installed; install the package vulkan-validationlayers");
  }
  TRY_VK(created, "starting Vulkan");

  TRY(load_instance_functions(table, instance->instance_));
  if (kept.table_hook) kept.table_hook(table);
  if (listens && table.vkCreateDebugUtilsMessengerEXT != nullptr) {
    TRY_VK(table.vkCreateDebugUtilsMessengerEXT(
               instance->instance_, &messenger, nullptr, &instance->messenger_),
           "listening to the validation layers");
  }
  TRY(instance->read_devices());
  return instance;
}

Instance::~Instance() {
  // Creation may have failed before the functions were loaded.
  if (messenger_ != VK_NULL_HANDLE) {
    table_.vkDestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  }
  if (instance_ != VK_NULL_HANDLE && table_.vkDestroyInstance != nullptr) {
    table_.vkDestroyInstance(instance_, nullptr);
  }
}

Result<void> Instance::read_devices() {
  std::uint32_t count = 0;
  const VkResult counted = table_.vkEnumeratePhysicalDevices(instance_, &count, nullptr);
  // Some loaders say so when a driver is installed and finds no hardware.
  if (counted == VK_ERROR_INITIALIZATION_FAILED) return {};
  TRY_VK(counted, "listing the Vulkan devices");
  std::vector<VkPhysicalDevice> handles(count);
  const VkResult listed = table_.vkEnumeratePhysicalDevices(instance_, &count, handles.data());
  if (listed != VK_INCOMPLETE) TRY_VK(listed, "listing the Vulkan devices");
  handles.resize(count);
  for (const VkPhysicalDevice handle : handles) {
    devices_.push_back(TRY(read_device(table_, handle)));
  }
  return {};
}

std::vector<DeviceInfo> Instance::ranked_devices() const {
  std::vector<DeviceInfo> ranked;
  for (const DeviceInfo& device : devices_) {
    if (device.usable()) ranked.push_back(device);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const DeviceInfo& a, const DeviceInfo& b) {
    return std::pair(rank(a.type), b.device_local_bytes()) <
           std::pair(rank(b.type), a.device_local_bytes());
  });
  return ranked;
}

Result<DeviceInfo> Instance::find_device(const DeviceWish& wish) const {
  const bool software_allowed = wish.software_allowed || !wish.name.empty();
  const auto matches = [&](const DeviceInfo& device) {
    return contains_ignoring_case(device.name, wish.name) ||
           contains_ignoring_case(device.driver_name, wish.name);
  };
  const auto unasked = [&](const DeviceInfo& device) {
    return device.type == DeviceType::kSoftware && !software_allowed;
  };
  for (DeviceInfo& device : ranked_devices()) {
    if (matches(device) && !unasked(device)) return std::move(device);
  }
  if (devices_.empty()) {
    return fail(ErrorCode::kNotFound,
                "no Vulkan device on this machine: no driver found hardware; install "
                "mesa-vulkan-drivers or your GPU vendor's driver and see that you may open "
                "/dev/dri/renderD* (group render), or run with the CPU backend");
  }
  bool some_match = false;
  std::string seen;
  for (const DeviceInfo& device : devices_) {
    if (!seen.empty()) seen += "; ";
    seen += device.name + " (" + std::string(type_name(device.type)) + "): ";
    if (!matches(device)) {
      seen += "not the wanted one";
    } else if (unasked(device)) {
      seen += "used only when asked for by name";
    } else {
      some_match = true;
      seen += "lacks " + device.missing;
    }
  }
  std::string what = "no GPU that Kinglet can use";
  if (!wish.name.empty()) {
    what = some_match ? "the Vulkan device \"" + wish.name + "\" cannot be used"
                      : "no Vulkan device named \"" + wish.name + "\"";
  }
  return fail(some_match ? ErrorCode::kUnsupported : ErrorCode::kNotFound,
              what + "; there is: " + seen +
                  ". Update the driver, name another device, or run with the CPU backend");
}

}  // namespace kinglet::vulkan
