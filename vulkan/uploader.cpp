#include "vulkan/uploader.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>

#include "vulkan/error.h"

namespace kinglet::vulkan {

namespace {

// What copies begin at: the largest alignment that devices ask for to be fast.
constexpr std::uint64_t kAlignment = 256;
// A rest of a slot smaller than this is left empty rather than taken for a part of something big.
constexpr std::uint64_t kLeastPiece = std::uint64_t{64} << 10;
constexpr std::chrono::nanoseconds kPatience = std::chrono::seconds(30);
// At the end there is nothing left to lose but time.
constexpr std::chrono::nanoseconds kLastPatience = std::chrono::seconds(5);

}  // namespace

Result<Uploader> Uploader::create(const Device& device, const UploaderOptions& options) {
  assert(options.n_slots > 0 && options.slot_bytes > 0 && options.slot_bytes % kAlignment == 0);
  const DeviceTable& table = device.table();
  Uploader uploader(device, options);

  VkCommandPoolCreateInfo pool_info = {};
  pool_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool_info.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool_info.queueFamilyIndex = device.info().transfer_family;
  VkCommandPool pool = VK_NULL_HANDLE;
  TRY_VK(table.vkCreateCommandPool(device.handle(), &pool_info, nullptr, &pool),
         "creating a command pool");
  uploader.pool_ = Unique<VkCommandPool>(table, device.handle(), pool);

  VkSemaphoreTypeCreateInfo timeline = {};
  timeline.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  timeline.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo semaphore_info = {};
  semaphore_info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  semaphore_info.pNext = &timeline;
  VkSemaphore semaphore = VK_NULL_HANDLE;
  TRY_VK(table.vkCreateSemaphore(device.handle(), &semaphore_info, nullptr, &semaphore),
         "creating a timeline semaphore");
  uploader.semaphore_ = Unique<VkSemaphore>(table, device.handle(), semaphore);
  return uploader;
}

Uploader::~Uploader() {
  if (semaphore_ && submitted_ > completed_) {
    (void)wait_for(submitted_, static_cast<std::uint64_t>(kLastPatience.count()));
  }
}

Result<std::span<std::byte>> Uploader::room(const Buffer& to,
                                            std::uint64_t offset,
                                            std::uint64_t n_bytes) {
  assert(n_bytes > 0 && offset <= to.size() && n_bytes <= to.size() - offset);
  if (!to.mapped().empty()) return to.mapped().subspan(offset, n_bytes);
  if (!ring_) TRY(make_ring());
  // What the last call gave out is written by now.
  if (is_open_ && options_.slot_bytes - n_filled_ < std::min(n_bytes, kLeastPiece)) {
    TRY(submit_slot());
  }
  if (!is_open_) TRY(open_slot());
  const std::uint64_t from = slot_ * options_.slot_bytes + n_filled_;
  const std::uint64_t given = std::min(n_bytes, options_.slot_bytes - n_filled_);
  const VkBufferCopy region = {from, offset, given};
  device_->table().vkCmdCopyBuffer(
      slots_[slot_].commands, ring_->handle(), to.handle(), 1, &region);
  n_filled_ =
      std::min(options_.slot_bytes, (n_filled_ + given + kAlignment - 1) / kAlignment * kAlignment);
  return ring_->mapped().subspan(from, given);
}

Result<void> Uploader::add(const Buffer& to,
                           std::uint64_t offset,
                           std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::span<std::byte> piece = TRY(room(to, offset, bytes.size()));
    std::memcpy(piece.data(), bytes.data(), piece.size());
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<void> Uploader::finish() {
  if (is_open_) TRY(submit_slot());
  if (submitted_ == completed_) return {};
  // An empty submit to the queue that computes: whatever follows there waits for the copies, and
  // their bytes are visible to it.
  const VkSemaphore semaphore = semaphore_.get();
  const std::uint64_t signal = submitted_ + 1;
  VkTimelineSemaphoreSubmitInfo timeline = {};
  timeline.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
  timeline.waitSemaphoreValueCount = 1;
  timeline.pWaitSemaphoreValues = &submitted_;
  timeline.signalSemaphoreValueCount = 1;
  timeline.pSignalSemaphoreValues = &signal;
  const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  VkSubmitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.pNext = &timeline;
  info.waitSemaphoreCount = 1;
  info.pWaitSemaphores = &semaphore;
  info.pWaitDstStageMask = &stages;
  info.signalSemaphoreCount = 1;
  info.pSignalSemaphores = &semaphore;
  TRY_VK(device_->table().vkQueueSubmit(device_->queue(), 1, &info, VK_NULL_HANDLE),
         "submitting work to " + device_->info().name);
  submitted_ = signal;
  return wait_for(submitted_, static_cast<std::uint64_t>(kPatience.count()));
}

Result<void> Uploader::make_ring() {
  Buffer ring = TRY(Buffer::create(
      *device_, options_.n_slots * options_.slot_bytes, MemoryUse::kUpload, "staging"));
  std::vector<VkCommandBuffer> commands(options_.n_slots);
  VkCommandBufferAllocateInfo allocate = {};
  allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocate.commandPool = pool_.get();
  allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  allocate.commandBufferCount = options_.n_slots;
  TRY_VK(device_->table().vkAllocateCommandBuffers(device_->handle(), &allocate, commands.data()),
         "creating command buffers");
  for (const VkCommandBuffer buffer : commands)
    slots_.push_back({buffer, 0});
  ring_ = std::move(ring);
  return {};
}

Result<void> Uploader::open_slot() {
  Slot& slot = slots_[slot_];
  TRY(wait_for(slot.in_use_until, static_cast<std::uint64_t>(kPatience.count())));
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  TRY_VK(device_->table().vkBeginCommandBuffer(slot.commands, &info), "recording a copy");
  is_open_ = true;
  n_filled_ = 0;
  return {};
}

Result<void> Uploader::submit_slot() {
  Slot& slot = slots_[slot_];
  is_open_ = false;
  TRY_VK(device_->table().vkEndCommandBuffer(slot.commands), "recording a copy");
  const VkSemaphore semaphore = semaphore_.get();
  const std::uint64_t signal = submitted_ + 1;
  VkTimelineSemaphoreSubmitInfo timeline = {};
  timeline.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
  timeline.signalSemaphoreValueCount = 1;
  timeline.pSignalSemaphoreValues = &signal;
  VkSubmitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.pNext = &timeline;
  info.commandBufferCount = 1;
  info.pCommandBuffers = &slot.commands;
  info.signalSemaphoreCount = 1;
  info.pSignalSemaphores = &semaphore;
  TRY_VK(device_->table().vkQueueSubmit(device_->transfer_queue(), 1, &info, VK_NULL_HANDLE),
         "submitting copies to " + device_->info().name);
  submitted_ = signal;
  slot.in_use_until = signal;
  slot_ = (slot_ + 1) % options_.n_slots;
  return {};
}

Result<void> Uploader::wait_for(std::uint64_t value, std::uint64_t timeout_ns) {
  if (value <= completed_) return {};
  const VkSemaphore semaphore = semaphore_.get();
  VkSemaphoreWaitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = &semaphore;
  info.pValues = &value;
  TRY_VK(device_->table().vkWaitSemaphores(device_->handle(), &info, timeout_ns),
         "waiting for copies to " + device_->info().name);
  completed_ = value;
  return {};
}

}  // namespace kinglet::vulkan
