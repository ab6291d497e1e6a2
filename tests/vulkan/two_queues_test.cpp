// A device that copies with a queue of its own: the software driver, whose one queue is shown as
// two of different families. What goes to which is noted on the way.
#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"
#include "vulkan/stream.h"
#include "vulkan/uploader.h"

using namespace kinglet;
using namespace kinglet::test;
using namespace kinglet::vulkan;

namespace {

constexpr std::uint32_t kComputes = 0;
constexpr std::uint32_t kCopies = 1;

DeviceTable real;
struct Seen {
  std::uint32_t n_queues = 0;                // that the device was made with
  std::vector<std::uint32_t> pool_families;  // of command pools
  std::vector<std::uint32_t> submits;        // families of their queues
  std::uint32_t n_shared = 0;                // buffers of both families
  std::uint32_t n_exclusive = 0;             // and others
  std::vector<std::uint64_t> waits;          // semaphore values that submits wait for
} seen;
VkQueue the_queue = VK_NULL_HANDLE;

/// What stands for the second queue; never dereferenced.
VkQueue second_queue() {
  static int anything = 0;
  return reinterpret_cast<VkQueue>(&anything);
}

VKAPI_ATTR void VKAPI_CALL two_families(VkPhysicalDevice device,
                                        std::uint32_t* count,
                                        VkQueueFamilyProperties* families) {
  std::uint32_t one = 1;
  if (families != nullptr) {
    real.vkGetPhysicalDeviceQueueFamilyProperties(device, &one, families);
    families[kCopies] = families[kComputes];
    families[kCopies].queueFlags = VK_QUEUE_TRANSFER_BIT | VK_QUEUE_SPARSE_BINDING_BIT;
  }
  *count = 2;
}

VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice device,
                                             const VkDeviceCreateInfo* info,
                                             const VkAllocationCallbacks* callbacks,
                                             VkDevice* made) {
  seen.n_queues = info->queueCreateInfoCount;
  VkDeviceCreateInfo create = *info;
  create.queueCreateInfoCount = 1;
  return real.vkCreateDevice(device, &create, callbacks, made);
}

VKAPI_ATTR void VKAPI_CALL get_queue(VkDevice device,
                                     std::uint32_t family,
                                     std::uint32_t index,
                                     VkQueue* queue) {
  real.vkGetDeviceQueue(device, kComputes, index, &the_queue);
  *queue = family == kCopies ? second_queue() : the_queue;
}

VKAPI_ATTR VkResult VKAPI_CALL create_pool(VkDevice device,
                                           const VkCommandPoolCreateInfo* info,
                                           const VkAllocationCallbacks* callbacks,
                                           VkCommandPool* pool) {
  seen.pool_families.push_back(info->queueFamilyIndex);
  VkCommandPoolCreateInfo create = *info;
  create.queueFamilyIndex = kComputes;
  return real.vkCreateCommandPool(device, &create, callbacks, pool);
}

VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device,
                                             const VkBufferCreateInfo* info,
                                             const VkAllocationCallbacks* callbacks,
                                             VkBuffer* buffer) {
  const bool is_shared = info->sharingMode == VK_SHARING_MODE_CONCURRENT &&
                         info->queueFamilyIndexCount == 2 &&
                         info->pQueueFamilyIndices[0] != info->pQueueFamilyIndices[1];
  ++(is_shared ? seen.n_shared : seen.n_exclusive);
  VkBufferCreateInfo create = *info;
  create.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  create.queueFamilyIndexCount = 0;
  return real.vkCreateBuffer(device, &create, callbacks, buffer);
}

VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue,
                                      std::uint32_t count,
                                      const VkSubmitInfo* infos,
                                      VkFence fence) {
  seen.submits.push_back(queue == second_queue() ? kCopies : kComputes);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto* const timeline = static_cast<const VkTimelineSemaphoreSubmitInfo*>(infos[i].pNext);
    for (std::uint32_t w = 0; w < infos[i].waitSemaphoreCount; ++w)
      seen.waits.push_back(timeline->pWaitSemaphoreValues[w]);
  }
  return real.vkQueueSubmit(the_queue, count, infos, fence);
}

template <class Function>
void replace(Function& in_table, Function& kept, Function replacement) {
  if (in_table != nullptr && in_table != replacement) kept = std::exchange(in_table, replacement);
}

void dress_up(DeviceTable& table) {
#define KINGLET_REPLACE(name, replacement) replace(table.name, real.name, replacement)
  KINGLET_REPLACE(vkGetPhysicalDeviceQueueFamilyProperties, two_families);
  KINGLET_REPLACE(vkCreateDevice, create_device);
  KINGLET_REPLACE(vkGetDeviceQueue, get_queue);
  KINGLET_REPLACE(vkCreateCommandPool, create_pool);
  KINGLET_REPLACE(vkCreateBuffer, create_buffer);
  KINGLET_REPLACE(vkQueueSubmit, submit);
#undef KINGLET_REPLACE
}

}  // namespace

TEST_SUITE("vulkan/two_queues") {
  TEST_CASE("uploads go through the queue that copies, and the one that computes waits for them") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    InstanceOptions options;
    options.table_hook = dress_up;
    const auto instance = Instance::create(std::move(options));
    REQUIRE(instance.has_value());
    const auto info = (*instance)->find_device({"llvmpipe"});
    REQUIRE(info.has_value());
    CHECK(info->queue_family == kComputes);
    CHECK(info->transfer_family == kCopies);
    seen = {};
    const auto device = Device::create(*instance, *info, {.map_device_memory = false});
    REQUIRE(device.has_value());
    CHECK(seen.n_queues == 2);
    CHECK((*device)->queue() == the_queue);
    CHECK((*device)->transfer_queue() == second_queue());

    std::mt19937 generator(1);
    std::vector<std::byte> bytes(5'000);
    for (std::byte& byte : bytes)
      byte = static_cast<std::byte>(generator());
    const auto buffer = Buffer::create(**device, bytes.size(), MemoryUse::kDevice, "a buffer");
    REQUIRE(buffer.has_value());
    {
      auto uploader = Uploader::create(**device, {2, 1'024});
      REQUIRE(uploader.has_value());
      CHECK(seen.pool_families == std::vector{kCopies});
      REQUIRE(uploader->add(*buffer, 0, bytes).has_value());
      REQUIRE(uploader->finish().has_value());
      // Five slots' worth of copies, then what the computing queue waits for: the last of them.
      CHECK(seen.submits == std::vector{kCopies, kCopies, kCopies, kCopies, kCopies, kComputes});
      CHECK(seen.waits == std::vector{std::uint64_t{5}});
    }
    std::vector<std::byte> back(bytes.size());
    REQUIRE(download(**device, *buffer, 0, back).has_value());
    CHECK(back == bytes);
    CHECK(seen.submits.back() == kComputes);
    CHECK(seen.n_shared >= 2);
    CHECK(seen.n_exclusive == 0);
  }
}
