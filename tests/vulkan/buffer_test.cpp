#include "vulkan/buffer.h"

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

// The software driver dressed up as a discrete GPU: type 0 is the device's own memory, which the
// host does not reach; type 1 is the host's.
PFN_vkGetPhysicalDeviceMemoryProperties2 real_memory = nullptr;
PFN_vkGetPhysicalDeviceProperties2 real_properties = nullptr;
PFN_vkGetBufferMemoryRequirements real_requirements = nullptr;
PFN_vkAllocateMemory real_allocate = nullptr;

VKAPI_ATTR void VKAPI_CALL discrete_memory(VkPhysicalDevice device,
                                           VkPhysicalDeviceMemoryProperties2* properties) {
  real_memory(device, properties);
  VkPhysicalDeviceMemoryProperties& memory = properties->memoryProperties;
  memory.memoryTypeCount = 2;
  memory.memoryTypes[0] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0};
  memory.memoryTypes[1] = {
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0};
}

VKAPI_ATTR void VKAPI_CALL discrete_properties(VkPhysicalDevice device,
                                               VkPhysicalDeviceProperties2* properties) {
  real_properties(device, properties);
  properties->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
}

VKAPI_ATTR void VKAPI_CALL both_types(VkDevice device,
                                      VkBuffer buffer,
                                      VkMemoryRequirements* requirements) {
  real_requirements(device, buffer, requirements);
  requirements->memoryTypeBits = 3;
}

VKAPI_ATTR VkResult VKAPI_CALL allocate_from_type_0(VkDevice device,
                                                    const VkMemoryAllocateInfo* info,
                                                    const VkAllocationCallbacks* callbacks,
                                                    VkDeviceMemory* memory) {
  VkMemoryAllocateInfo real = *info;
  real.memoryTypeIndex = 0;
  return real_allocate(device, &real, callbacks, memory);
}

template <class Function>
void replace(Function& in_table, Function replacement, Function& real) {
  if (in_table == nullptr || in_table == replacement) return;
  real = in_table;
  in_table = replacement;
}

void dress_up(DeviceTable& table) {
  replace(table.vkGetPhysicalDeviceMemoryProperties2, discrete_memory, real_memory);
  replace(table.vkGetPhysicalDeviceProperties2, discrete_properties, real_properties);
  replace(table.vkGetBufferMemoryRequirements, both_types, real_requirements);
  replace(table.vkAllocateMemory, allocate_from_type_0, real_allocate);
}

}  // namespace

TEST_SUITE("vulkan/buffer") {
  TEST_CASE("where host and device share memory, buffers are reached directly") {
    Lab* const lab = Lab::get();
    if (lab == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto buffer = Buffer::create(lab->device(), 1'000, MemoryUse::kDevice, "a test");
    REQUIRE(buffer.has_value());
    CHECK(buffer->size() == 1'000);
    CHECK(buffer->mapped().size() == 1'000);
    CHECK(buffer->address() != 0);
  }

  TEST_CASE("a device's own memory is filled and read through staging, in pieces") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    InstanceOptions options;
    options.table_hook = dress_up;
    const auto instance = Instance::create(std::move(options));
    REQUIRE(instance.has_value());
    const auto info = (*instance)->find_device({"llvmpipe"});
    REQUIRE(info.has_value());
    REQUIRE(info->type == DeviceType::kDiscrete);
    const auto device = Device::create(*instance, *info);
    REQUIRE(device.has_value());
    // More than two pieces of staging.
    std::vector<std::uint32_t> values((std::size_t{70} << 20) / sizeof(std::uint32_t));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::uint32_t>(i);
    const auto bytes = std::as_bytes(std::span(values));
    const auto buffer = Buffer::create(**device, bytes.size() + 12, MemoryUse::kDevice, "a test");
    REQUIRE(buffer.has_value());
    CHECK(buffer->mapped().empty());
    REQUIRE(upload(**device, *buffer, 8, bytes).has_value());
    std::vector<std::uint32_t> back(values.size());
    REQUIRE(download(**device, *buffer, 8, std::as_writable_bytes(std::span(back))).has_value());
    CHECK((back == values));
    CHECK(Buffer::create(**device, 16, MemoryUse::kReadback, "a test")->mapped().size() == 16);
  }
}
