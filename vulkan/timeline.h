// Submits to a queue, counted: a timeline semaphore that says how many are done.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "vulkan/device.h"
#include "vulkan/unique.h"

namespace kinglet::vulkan {

/// Of one family's command buffers.
Result<Unique<VkCommandPool>> make_command_pool(const Device& device,
                                                std::uint32_t family,
                                                VkCommandPoolCreateFlags flags = 0);
Result<void> allocate_commands(const Device& device,
                               VkCommandPool pool,
                               std::span<VkCommandBuffer> commands);

/// Thread safety: one thread at a time, the one that uses the device's queues.
class Timeline {
 public:
  static Result<Timeline> create(const Device& device);

  /// What a submit comes after: on one queue the order is that of submission, and barriers are the
  /// command buffers'.
  enum class After : std::uint8_t {
    kQueue,
    kLast,  // this timeline's last submit, which went to another queue: what it wrote is visible
  };
  /// `doing`, "submitting work", is for the error message. Nothing is counted when it fails.
  Result<void> submit(VkQueue queue,
                      std::span<const VkCommandBuffer> commands,
                      std::string_view doing,
                      After after = After::kQueue);
  /// Sleeps until so many submits are done. kTimeout, kDeviceLost.
  Result<void> wait_for(std::uint64_t n_submits,
                        std::chrono::nanoseconds timeout,
                        std::string_view doing);

  std::uint64_t n_submitted() const { return n_submitted_; }
  /// As far as was waited for.
  std::uint64_t n_completed() const { return n_completed_; }
  bool is_idle() const { return !semaphore_ || n_submitted_ == n_completed_; }

 private:
  explicit Timeline(const Device& device) : device_(&device) {}

  const Device* device_;
  Unique<VkSemaphore> semaphore_;
  std::uint64_t n_submitted_ = 0;
  std::uint64_t n_completed_ = 0;
};

}  // namespace kinglet::vulkan
