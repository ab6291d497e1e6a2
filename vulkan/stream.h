// A recorded list of dispatches: record once, submit as often as wanted. What varies between runs
// (positions, page tables) lies in buffers that the kernels read.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "vulkan/buffer.h"
#include "vulkan/pipeline.h"
#include "vulkan/timeline.h"
#include "vulkan/traffic.h"

namespace kinglet::vulkan {

struct Groups {
  std::uint32_t x = 1;
  std::uint32_t y = 1;
  std::uint32_t z = 1;
};

/// Lavapipe's loops end silently after 65,535 iterations of one invocation, all its loops together,
/// and leave wrong numbers behind. No dispatch may come near.
inline constexpr std::uint64_t kMaxLoopIterations = 60'000;

/// A dispatch as it was recorded.
struct Dispatch {
  const Kernel* kernel = nullptr;
  std::uint32_t stage = 0;  // barriers recorded before it: dispatches of one stage run side by side
  Traffic traffic;
};

enum class Timing : std::uint8_t {
  kWhole,  // of a run
  kEach,   // of each dispatch: they run one by one, those of a stage, too, so that a run takes
           // longer
};

/// Owns a command buffer, its timeline semaphore and its timestamps. At most one run is in flight.
/// Thread safety: one thread at a time.
class Stream {
 public:
  static Result<Stream> create(const Device& device, Timing timing = Timing::kWhole);
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = delete;
  /// Waits for a run in flight.
  ~Stream();

  enum class Runs : std::uint8_t { kSingle, kChained };
  /// Forgets what was recorded and starts anew; kDeviceLost while a run is in flight. kChained: one
  /// submit may hold several runs of it.
  Result<void> begin(Runs runs = Runs::kSingle);
  /// `loop_iterations`: an upper bound of what one invocation's loops take together, below
  /// kMaxLoopIterations. `push` must have the size of the kernel's push constant block. `traffic`
  /// is kept for who asks what the recording costs.
  void dispatch(const Pipeline& pipeline,
                std::span<const std::byte> push,
                Groups groups,
                std::uint64_t loop_iterations,
                const Traffic& traffic = {});
  template <class Push>
  void dispatch(const Pipeline& pipeline,
                const Push& push,
                Groups groups,
                std::uint64_t loop_iterations,
                const Traffic& traffic = {}) {
    static_assert(std::is_trivially_copyable_v<Push>);
    dispatch(pipeline, std::as_bytes(std::span(&push, 1)), groups, loop_iterations, traffic);
  }
  void copy(const Buffer& from,
            std::uint64_t from_offset,
            const Buffer& to,
            std::uint64_t to_offset,
            std::uint64_t bytes);
  /// What was recorded before is complete and visible to what is recorded after.
  void barrier();
  /// Ends the recording and makes its results visible to the host.
  Result<void> end();

  /// Starts a run of what was recorded and returns at once. kDeviceLost, kOutOfMemory.
  Result<void> submit() { return submit_chain(1); }
  /// Starts `n_runs` of them at once, each on what the one before left: one call, one thing to wait
  /// for. `before`, another stream of this device that is not in flight itself, runs ahead of them;
  /// it stays as it is until they are done.
  Result<void> submit_chain(std::uint32_t n_runs, const Stream* before = nullptr);
  /// Sleeps until the run is done; its time on the device in seconds (on the host's clock where the
  /// queue has no timestamps): of a chain, the last run's. An error (kTimeout, kDeviceLost) leaves
  /// the run in flight.
  Result<double> wait(std::chrono::nanoseconds timeout = std::chrono::seconds(30));
  Result<double> run() {
    if (auto submitted = submit(); !submitted) return tl::unexpected(submitted.error());
    return wait();
  }

  /// In the order they were recorded.
  std::span<const Dispatch> dispatches() const { return dispatches_; }
  std::uint32_t n_barriers() const { return n_barriers_; }
  /// What each dispatch took in the last run, in the same order; empty without Timing::kEach,
  /// before the first run, and where the queue has no timestamps. Only the first kMaxTimed are
  /// there.
  static constexpr std::uint32_t kMaxTimed = 4'096;
  std::span<const double> dispatch_seconds() const { return dispatch_seconds_; }

 private:
  Stream(const Device& device, Timing timing) : device_(&device), timing_(timing) {}
  std::uint32_t n_timestamps() const;
  /// Timing::kEach: what was recorded since the last timestamp ends, and a timestamp says when.
  enum class Span : std::uint8_t { kDispatch, kCopy };
  void close_span(Span span);
  Result<double> read_timestamps();
  tl::unexpected<Error> still_running() const;

  const Device* device_;
  Timing timing_;
  Unique<VkCommandPool> pool_;
  std::optional<Timeline> timeline_;
  Unique<VkQueryPool> timestamps_;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;  // the pool's
  std::chrono::steady_clock::time_point submit_time_;
  std::vector<VkCommandBuffer> command_buffers_;  // of the last submit; kept for its memory
  std::uint32_t n_runs_ = 0;                      // of the last submit
  Runs runs_ = Runs::kSingle;
  std::vector<Dispatch> dispatches_;
  std::uint32_t n_barriers_ = 0;
  std::vector<Span> spans_;  // with timestamps of their own
  std::vector<double> dispatch_seconds_;
};

}  // namespace kinglet::vulkan
