// Mesa's RADV without hardware: with RADV_FORCE_FAMILY set it makes a device of that chip, which
// compiles and cannot run. CMakeLists.txt sets the chip.
#pragma once

#include <optional>
#include <string>

#include "vulkan/device.h"

namespace kinglet::test {

/// Sets the environment so that RADV is the only driver in sight, because others would be asked for
/// devices, too. Says why not, where there is none.
std::optional<std::string> no_radv();
/// REQUIRES !no_radv().
std::unique_ptr<const vulkan::Device> radv_device(const vulkan::DeviceOptions& options = {});

}  // namespace kinglet::test
