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
  Uploader uploader(device, options);
  uploader.pool_ = TRY(make_command_pool(
      device, device.info().transfer_family, VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT));
  uploader.timeline_.emplace(TRY(Timeline::create(device)));
  return uploader;
}

Uploader::~Uploader() {
  if (timeline_ && !timeline_->is_idle()) (void)wait_for(timeline_->n_submitted(), kLastPatience);
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
  if (timeline_->is_idle()) return {};
  // Nothing, on the queue that computes: whatever follows there waits for the copies, and their
  // bytes are visible to it.
  TRY(timeline_->submit(device_->queue(), {}, "submitting work", Timeline::After::kLast));
  return wait_for(timeline_->n_submitted(), kPatience);
}

Result<void> Uploader::make_ring() {
  Buffer ring = TRY(Buffer::create(
      *device_, options_.n_slots * options_.slot_bytes, MemoryUse::kUpload, "staging"));
  std::vector<VkCommandBuffer> commands(options_.n_slots);
  TRY(allocate_commands(*device_, pool_.get(), commands));
  for (const VkCommandBuffer buffer : commands)
    slots_.push_back({buffer, 0});
  ring_ = std::move(ring);
  return {};
}

Result<void> Uploader::open_slot() {
  Slot& slot = slots_[slot_];
  TRY(wait_for(slot.in_use_until, kPatience));
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
  TRY(timeline_->submit(device_->transfer_queue(), {&slot.commands, 1}, "submitting copies"));
  slot.in_use_until = timeline_->n_submitted();
  slot_ = (slot_ + 1) % options_.n_slots;
  return {};
}

Result<void> Uploader::wait_for(std::uint64_t n_submits, std::chrono::nanoseconds timeout) {
  return timeline_->wait_for(n_submits, timeout, "waiting for copies to");
}

}  // namespace kinglet::vulkan
