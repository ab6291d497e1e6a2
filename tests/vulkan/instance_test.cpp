#include "vulkan/instance.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// A table function with a captured-less replacement that first asks the real one.
PFN_vkGetPhysicalDeviceFeatures2 real_features = nullptr;
PFN_vkGetPhysicalDeviceProperties2 real_properties = nullptr;

VKAPI_ATTR void VKAPI_CALL features_without_addresses(VkPhysicalDevice device,
                                                      VkPhysicalDeviceFeatures2* features) {
  real_features(device, features);
  for (auto* next = static_cast<VkBaseOutStructure*>(features->pNext); next != nullptr;
       next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES) {
      reinterpret_cast<VkPhysicalDeviceVulkan12Features*>(next)->bufferDeviceAddress = VK_FALSE;
    }
  }
}

VKAPI_ATTR void VKAPI_CALL properties_of_vulkan_1_1(VkPhysicalDevice device,
                                                    VkPhysicalDeviceProperties2* properties) {
  real_properties(device, properties);
  properties->properties.apiVersion = VK_API_VERSION_1_1;
}

// No more than Vulkan promises.
VKAPI_ATTR void VKAPI_CALL small_workgroups(VkPhysicalDevice device,
                                            VkPhysicalDeviceProperties2* properties) {
  real_properties(device, properties);
  properties->properties.limits.maxComputeWorkGroupInvocations = 128;
  properties->properties.limits.maxComputeSharedMemorySize = 16'384;
}

// Compute shaders may not ask for a subgroup size, and buffers end at a GiB.
VKAPI_ATTR void VKAPI_CALL narrow_properties(VkPhysicalDevice device,
                                             VkPhysicalDeviceProperties2* properties) {
  real_properties(device, properties);
  for (auto* next = static_cast<VkBaseOutStructure*>(properties->pNext); next != nullptr;
       next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES) {
      auto* const sizes = reinterpret_cast<VkPhysicalDeviceSubgroupSizeControlProperties*>(next);
      sizes->requiredSubgroupSizeStages = VK_SHADER_STAGE_FRAGMENT_BIT;
      sizes->minSubgroupSize = 1;
    }
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES) {
      reinterpret_cast<VkPhysicalDeviceMaintenance4Properties*>(next)->maxBufferSize = 1U << 30;
    }
  }
}

VKAPI_ATTR VkResult VKAPI_CALL no_devices(VkInstance /*instance*/,
                                          std::uint32_t* count,
                                          VkPhysicalDevice* /*devices*/) {
  *count = 0;
  return VK_SUCCESS;
}

Result<DeviceInfo> find_with(TableHook hook, const DeviceWish& wish) {
  InstanceOptions options;
  options.table_hook = std::move(hook);
  const auto instance = TRY(Instance::create(std::move(options)));
  return instance->find_device(wish);
}

}  // namespace

TEST_SUITE("vulkan/instance") {
  TEST_CASE("the software driver is listed for what it is") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto devices = lab->instance()->devices();
    const auto found = std::find_if(devices.begin(), devices.end(), [](const DeviceInfo& device) {
      return device.driver_name == "llvmpipe";
    });
    REQUIRE(found != devices.end());
    CHECK(found->type == DeviceType::kSoftware);
    CHECK(type_name(found->type) == "software driver");
    CHECK(found->usable());
    CHECK(found->device_local_bytes() > 0);
    CHECK(!found->driver_version.empty());
    CHECK(found->max_group_count >= 65'535);
    CHECK(found->max_workgroup_invocations >= 128);
    CHECK(found->max_shared_bytes >= 16'384);
  }

  TEST_CASE("a software driver is taken only when asked for") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto automatic = lab->instance()->find_device({});
    if (automatic) {
      CHECK(automatic->type != DeviceType::kSoftware);
    } else {
      CHECK(automatic.error().code == ErrorCode::kNotFound);
      CHECK(automatic.error().message.find("used only when asked for by name") !=
            std::string::npos);
    }
    CHECK(lab->instance()->find_device({"LLVMpipe"}).has_value());
    CHECK(lab->instance()->find_device({.name = "", .software_allowed = true}).has_value());
  }

  TEST_CASE("a name that nothing has is answered with what there is") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device = lab->instance()->find_device({"Voodoo 2"});
    REQUIRE(!device.has_value());
    CHECK(device.error().code == ErrorCode::kNotFound);
    CHECK(device.error().message.find("\"Voodoo 2\"") != std::string::npos);
    CHECK(device.error().message.find("llvmpipe") != std::string::npos);
  }

  TEST_CASE("a device that lacks a feature is refused by the feature's name") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device = find_with(
        [](DeviceTable& table) {
          if (table.vkGetPhysicalDeviceFeatures2 == nullptr ||
              table.vkGetPhysicalDeviceFeatures2 == features_without_addresses) {
            return;
          }
          real_features = table.vkGetPhysicalDeviceFeatures2;
          table.vkGetPhysicalDeviceFeatures2 = features_without_addresses;
        },
        {"llvmpipe"});
    REQUIRE(!device.has_value());
    CHECK(device.error().code == ErrorCode::kUnsupported);
    CHECK(device.error().message.find("lacks buffer device addresses") != std::string::npos);
  }

  TEST_CASE("a driver of Vulkan 1.1 is refused for its version") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device = find_with(
        [](DeviceTable& table) {
          if (table.vkGetPhysicalDeviceProperties2 == nullptr ||
              table.vkGetPhysicalDeviceProperties2 == properties_of_vulkan_1_1) {
            return;
          }
          real_properties = table.vkGetPhysicalDeviceProperties2;
          table.vkGetPhysicalDeviceProperties2 = properties_of_vulkan_1_1;
        },
        {"llvmpipe"});
    REQUIRE(!device.has_value());
    CHECK(device.error().message.find("lacks Vulkan 1.2") != std::string::npos);
  }

  TEST_CASE("a device whose workgroups are too small for some kernel is refused for their size") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device = find_with(
        [](DeviceTable& table) {
          if (table.vkGetPhysicalDeviceProperties2 == nullptr ||
              table.vkGetPhysicalDeviceProperties2 == small_workgroups) {
            return;
          }
          real_properties = table.vkGetPhysicalDeviceProperties2;
          table.vkGetPhysicalDeviceProperties2 = small_workgroups;
        },
        {"llvmpipe"});
    REQUIRE(!device.has_value());
    CHECK(device.error().code == ErrorCode::kUnsupported);
    CHECK(device.error().message.find(
              "lacks workgroups of 256 invocations, 32 KiB of shared memory") != std::string::npos);
  }

  TEST_CASE("limits are the device's own, those of compute shaders and of buffers") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto free = lab->instance()->find_device({"llvmpipe"});
    REQUIRE(free.has_value());
    CHECK(free->optional.subgroup_size_control);
    CHECK(free->max_allocation_bytes > std::uint64_t{1} << 30);
    const auto narrow = find_with(
        [](DeviceTable& table) {
          if (table.vkGetPhysicalDeviceProperties2 == nullptr ||
              table.vkGetPhysicalDeviceProperties2 == narrow_properties) {
            return;
          }
          real_properties = table.vkGetPhysicalDeviceProperties2;
          table.vkGetPhysicalDeviceProperties2 = narrow_properties;
        },
        {"llvmpipe"});
    REQUIRE(narrow.has_value());
    CHECK(!narrow->optional.subgroup_size_control);
    CHECK(narrow->min_subgroup_size == narrow->subgroup_size);
    CHECK(narrow->max_allocation_bytes == std::uint64_t{1} << 30);
  }

  TEST_CASE("no device is an error with the way out") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto device =
        find_with([](DeviceTable& table) { table.vkEnumeratePhysicalDevices = no_devices; }, {});
    REQUIRE(!device.has_value());
    CHECK(device.error().code == ErrorCode::kNotFound);
    CHECK(device.error().message.find("no Vulkan device on this machine") != std::string::npos);
    CHECK(device.error().message.find("install mesa-vulkan-drivers") != std::string::npos);
  }
}
