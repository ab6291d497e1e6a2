#include "vulkan/error.h"

#include <string>

namespace kinglet::vulkan {

std::string_view result_name(VkResult result) {
  switch (result) {
#define KINGLET_NAME(name) \
  case name:               \
    return #name;
    KINGLET_NAME(VK_SUCCESS)
    KINGLET_NAME(VK_NOT_READY)
    KINGLET_NAME(VK_TIMEOUT)
    KINGLET_NAME(VK_INCOMPLETE)
    KINGLET_NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
    KINGLET_NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    KINGLET_NAME(VK_ERROR_INITIALIZATION_FAILED)
    KINGLET_NAME(VK_ERROR_DEVICE_LOST)
    KINGLET_NAME(VK_ERROR_MEMORY_MAP_FAILED)
    KINGLET_NAME(VK_ERROR_LAYER_NOT_PRESENT)
    KINGLET_NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
    KINGLET_NAME(VK_ERROR_FEATURE_NOT_PRESENT)
    KINGLET_NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
    KINGLET_NAME(VK_ERROR_TOO_MANY_OBJECTS)
    KINGLET_NAME(VK_ERROR_FRAGMENTED_POOL)
    KINGLET_NAME(VK_ERROR_UNKNOWN)
    KINGLET_NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
    KINGLET_NAME(VK_ERROR_INVALID_EXTERNAL_HANDLE)
    KINGLET_NAME(VK_ERROR_INVALID_SHADER_NV)
#undef KINGLET_NAME
    default:
      return {};
  }
}

tl::unexpected<Error> failed(VkResult result, std::string_view doing) {
  ErrorCode code = ErrorCode::kUnavailable;
  std::string_view way_out = "; the CPU backend needs no driver";
  switch (result) {
    case VK_ERROR_DEVICE_LOST:
      code = ErrorCode::kDeviceLost;
      way_out =
          "; the GPU was reset or went away: the engine has to be started again, and the system's "
          "log (dmesg) may say why";
      break;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_MEMORY_MAP_FAILED:
      code = ErrorCode::kOutOfMemory;
      way_out = "; the host is out of memory: close other programs or take a smaller model";
      break;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
      code = ErrorCode::kOutOfMemory;
      way_out =
          "; the GPU has no room: close programs that use it, take a smaller model or context, or "
          "run with the CPU backend";
      break;
    case VK_TIMEOUT:
      code = ErrorCode::kTimeout;
      way_out = "; the GPU hangs or is shared with heavy work: the engine has to be started again";
      break;
    case VK_ERROR_INCOMPATIBLE_DRIVER:
    case VK_ERROR_INITIALIZATION_FAILED:
      code = ErrorCode::kNotFound;
      way_out =
          "; no Vulkan driver works here: install mesa-vulkan-drivers or your GPU vendor's driver, "
          "or run with the CPU backend";
      break;
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
      code = ErrorCode::kUnsupported;
      way_out = "; update the driver, or run with the CPU backend";
      break;
    default:
      break;
  }
  const std::string_view name = result_name(result);
  std::string message(doing);
  message += " failed: ";
  message += name.empty() ? "VkResult " + std::to_string(result) : std::string(name);
  message += way_out;
  return fail(code, std::move(message));
}

}  // namespace kinglet::vulkan
