#include "vulkan/device_table.h"

#include <string>

#include <volk.h>

namespace kinglet::vulkan {

namespace {

tl::unexpected<Error> missing_function(const char* name) {
  return fail(ErrorCode::kUnsupported,
              std::string("the Vulkan driver offers no ") + name +
                  "; update the driver, or run with the CPU backend");
}

}  // namespace

Result<DeviceTable> load_library() {
  static const VkResult loaded = volkInitialize();
  if (loaded != VK_SUCCESS) {
    return fail(ErrorCode::kNotFound,
                "no Vulkan library (libvulkan.so.1) on this machine; install the packages "
                "libvulkan1 and mesa-vulkan-drivers (or your GPU vendor's driver), or run with the "
                "CPU backend");
  }
  DeviceTable table;
#define KINGLET_LOAD(name)                                                                 \
  table.name = reinterpret_cast<PFN_##name>(vkGetInstanceProcAddr(VK_NULL_HANDLE, #name)); \
  if (table.name == nullptr) return missing_function(#name);
  KINGLET_VULKAN_GLOBAL_FUNCTIONS(KINGLET_LOAD)
#undef KINGLET_LOAD
  return table;
}

Result<void> load_instance_functions(DeviceTable& table, VkInstance instance) {
#define KINGLET_LOAD_OPTIONAL(name) \
  table.name = reinterpret_cast<PFN_##name>(vkGetInstanceProcAddr(instance, #name));
#define KINGLET_LOAD(name)    \
  KINGLET_LOAD_OPTIONAL(name) \
  if (table.name == nullptr) return missing_function(#name);
  KINGLET_VULKAN_INSTANCE_FUNCTIONS(KINGLET_LOAD)
  KINGLET_VULKAN_OPTIONAL_INSTANCE_FUNCTIONS(KINGLET_LOAD_OPTIONAL)
#undef KINGLET_LOAD
#undef KINGLET_LOAD_OPTIONAL
  return {};
}

Result<void> load_device_functions(DeviceTable& table, VkDevice device) {
#define KINGLET_LOAD_OPTIONAL(name) \
  table.name = reinterpret_cast<PFN_##name>(table.vkGetDeviceProcAddr(device, #name));
#define KINGLET_LOAD(name)    \
  KINGLET_LOAD_OPTIONAL(name) \
  if (table.name == nullptr) return missing_function(#name);
  KINGLET_VULKAN_DEVICE_FUNCTIONS(KINGLET_LOAD)
  KINGLET_VULKAN_OPTIONAL_DEVICE_FUNCTIONS(KINGLET_LOAD_OPTIONAL)
#undef KINGLET_LOAD
#undef KINGLET_LOAD_OPTIONAL
  return {};
}

}  // namespace kinglet::vulkan
