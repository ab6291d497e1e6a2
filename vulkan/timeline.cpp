#include "vulkan/timeline.h"

#include <algorithm>
#include <string>

#include "vulkan/error.h"

namespace kinglet::vulkan {

Result<Unique<VkCommandPool>> make_command_pool(const Device& device,
                                                std::uint32_t family,
                                                VkCommandPoolCreateFlags flags) {
  VkCommandPoolCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  info.flags = flags;
  info.queueFamilyIndex = family;
  VkCommandPool pool = VK_NULL_HANDLE;
  TRY_VK(device.table().vkCreateCommandPool(device.handle(), &info, nullptr, &pool),
         "creating a command pool");
  return Unique<VkCommandPool>(device.table(), device.handle(), pool);
}

Result<void> allocate_commands(const Device& device,
                               VkCommandPool pool,
                               std::span<VkCommandBuffer> commands) {
  VkCommandBufferAllocateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = static_cast<std::uint32_t>(commands.size());
  TRY_VK(device.table().vkAllocateCommandBuffers(device.handle(), &info, commands.data()),
         "creating a command buffer");
  return {};
}

Result<Timeline> Timeline::create(const Device& device) {
  Timeline timeline(device);
  VkSemaphoreTypeCreateInfo type = {};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  info.pNext = &type;
  VkSemaphore semaphore = VK_NULL_HANDLE;
  TRY_VK(device.table().vkCreateSemaphore(device.handle(), &info, nullptr, &semaphore),
         "creating a timeline semaphore");
  timeline.semaphore_ = Unique<VkSemaphore>(device.table(), device.handle(), semaphore);
  return timeline;
}

Result<void> Timeline::submit(VkQueue queue,
                              std::span<const VkCommandBuffer> commands,
                              std::string_view doing,
                              After after) {
  const VkSemaphore semaphore = semaphore_.get();
  const std::uint64_t signal = n_submitted_ + 1;
  const bool waits = after == After::kLast;
  VkTimelineSemaphoreSubmitInfo values = {};
  values.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
  values.waitSemaphoreValueCount = waits ? 1 : 0;
  values.pWaitSemaphoreValues = &n_submitted_;
  values.signalSemaphoreValueCount = 1;
  values.pSignalSemaphoreValues = &signal;
  const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  VkSubmitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.pNext = &values;
  info.waitSemaphoreCount = waits ? 1 : 0;
  info.pWaitSemaphores = &semaphore;
  info.pWaitDstStageMask = &stages;
  info.commandBufferCount = static_cast<std::uint32_t>(commands.size());
  info.pCommandBuffers = commands.data();
  info.signalSemaphoreCount = 1;
  info.pSignalSemaphores = &semaphore;
  TRY_VK(device_->table().vkQueueSubmit(queue, 1, &info, VK_NULL_HANDLE),
         std::string(doing) + " to " + device_->info().name);
  n_submitted_ = signal;
  return {};
}

Result<void> Timeline::wait_for(std::uint64_t n_submits,
                                std::chrono::nanoseconds timeout,
                                std::string_view doing) {
  if (n_submits <= n_completed_) return {};
  const VkSemaphore semaphore = semaphore_.get();
  VkSemaphoreWaitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = &semaphore;
  info.pValues = &n_submits;
  TRY_VK(device_->table().vkWaitSemaphores(
             device_->handle(),
             &info,
             static_cast<std::uint64_t>(std::max<std::int64_t>(timeout.count(), 0))),
         std::string(doing) + " " + device_->info().name);
  n_completed_ = n_submits;
  return {};
}

}  // namespace kinglet::vulkan
