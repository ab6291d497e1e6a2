// The only place that turns a VkResult into our own errors.
#pragma once

#include <string_view>

#include "vulkan/device_table.h"

namespace kinglet::vulkan {

/// "VK_ERROR_DEVICE_LOST" and so on; "VkResult -7" for what this build does not know.
std::string_view result_name(VkResult result);

/// The error for a call that did not return VK_SUCCESS. `doing` says what was wanted, as in
/// "allocating 12 MiB of device memory". Device loss is ErrorCode::kDeviceLost (no call on that
/// device works any more), memory is kOutOfMemory, an elapsed wait kTimeout.
tl::unexpected<Error> failed(VkResult result, std::string_view doing);

/// Passes a failed call on as an error of the enclosing function.
#define TRY_VK(expression, doing)                                                  \
  do {                                                                             \
    const VkResult try_vk_ = (expression);                                         \
    if (try_vk_ != VK_SUCCESS) return ::kinglet::vulkan::failed(try_vk_, (doing)); \
  } while (false)

}  // namespace kinglet::vulkan
