#include "tests/vulkan/radv.h"

#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

namespace kinglet::test {

namespace {

std::optional<std::string> find_driver_file(const std::string& start) {
  for (const char* folder :
       {"/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().filename().string().rfind(start, 0) == 0) return entry.path().string();
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> no_radv() {
  if (std::getenv("RADV_FORCE_FAMILY") == nullptr) {
    return "RADV_FORCE_FAMILY is not set; ctest sets it";
  }
  const auto driver = find_driver_file("radeon_icd");
  if (!driver) return "no RADV driver (mesa-vulkan-drivers)";
  ::setenv("VK_ICD_FILENAMES", driver->c_str(), 1);
  ::setenv("VK_DRIVER_FILES", driver->c_str(), 1);
  return std::nullopt;
}

std::unique_ptr<const vulkan::Device> radv_device(const vulkan::DeviceOptions& options) {
  auto instance = vulkan::Instance::create();
  REQUIRE(instance.has_value());
  const auto info = (*instance)->find_device({"radv"});
  REQUIRE(info.has_value());
  auto device = vulkan::Device::create(*std::move(instance), *info, options);
  REQUIRE(device.has_value());
  return *std::move(device);
}

}  // namespace kinglet::test
