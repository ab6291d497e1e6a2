#include "vulkan/instance.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "vulkan/error.h"

namespace kinglet::vulkan {

namespace {

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
