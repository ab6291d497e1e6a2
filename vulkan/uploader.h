// Many uploads one after the other, as when a model is loaded: the host fills one part of a ring of
// staging memory while the device copies another out, on a queue of its own where it has one. So
// the slower of the two sets the pace, and neither waits for single copies.
//
// Where the host reaches a buffer's memory (integrated GPUs, software drivers) it writes there, and
// the ring is never made.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vulkan/buffer.h"
#include "vulkan/timeline.h"

namespace kinglet::vulkan {

struct UploaderOptions {
  std::uint32_t n_slots = 4;
  std::uint64_t slot_bytes = std::uint64_t{16} << 20;  // a multiple of 256
};

/// Thread safety: one thread at a time, the one that uses the device's queues.
class Uploader {
 public:
  static Result<Uploader> create(const Device& device, const UploaderOptions& options = {});
  Uploader(Uploader&&) noexcept = default;
  Uploader& operator=(Uploader&&) noexcept = delete;
  /// Waits for copies in flight; those not yet begun are dropped.
  ~Uploader();

  /// Where the host writes the next bytes of `to`, from `offset` on: at least one and at most
  /// `n_bytes` of them, before it calls any other method. kOutOfMemory, kDeviceLost, kTimeout.
  Result<std::span<std::byte>> room(const Buffer& to, std::uint64_t offset, std::uint64_t n_bytes);
  /// Writes all of them. They may be gone when this returns.
  Result<void> add(const Buffer& to, std::uint64_t offset, std::span<const std::byte> bytes);
  /// Sleeps until everything has arrived; what is submitted from now on sees it. May be called
  /// again after more.
  Result<void> finish();

 private:
  struct Slot {
    VkCommandBuffer commands = VK_NULL_HANDLE;  // the pool's
    std::uint64_t in_use_until = 0;             // so many submits are done
  };

  Uploader(const Device& device, const UploaderOptions& options)
      : device_(&device), options_(options) {}
  Result<void> make_ring();
  Result<void> open_slot();
  Result<void> submit_slot();
  Result<void> wait_for(std::uint64_t n_submits, std::chrono::nanoseconds timeout);

  const Device* device_;
  UploaderOptions options_;
  std::optional<Buffer> ring_;
  Unique<VkCommandPool> pool_;
  std::optional<Timeline> timeline_;
  std::vector<Slot> slots_;
  std::uint32_t slot_ = 0;      // the one being filled, if is_open_
  bool is_open_ = false;        // its commands are being recorded
  std::uint64_t n_filled_ = 0;  // its bytes that are spoken for
};

}  // namespace kinglet::vulkan
