// How many threads of a pool take part in a job. A thread that the system takes off its processor
// in the middle of an item keeps all others waiting for some milliseconds, a hundred times what a
// decoded token's jobs take: with a process beside us that wants a core of its own, one thread less
// is faster than one that comes and goes, and leaves the other process its core.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace kinglet::inference::cpu {

/// After a stall one thread less takes part for a while, then it is tried again; when that stalls
/// soon, too, the while doubles.
class ThreadBudget {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = Clock::duration;

  /// Waits shorter than this are no stall: an item's length, or a wake-up.
  static constexpr Duration kStall = std::chrono::microseconds(300);
  static constexpr Duration kShortestPause = std::chrono::milliseconds(8);
  static constexpr Duration kLongestPause = std::chrono::milliseconds(256);

  explicit ThreadBudget(std::uint32_t n_threads) : n_threads_(n_threads), n_active_(n_threads) {}

  /// For a job that begins now: 1 to n_threads.
  std::uint32_t take(Clock::time_point now) {
    if (n_active_ < n_threads_ && now >= next_try_) {
      ++n_active_;
      next_try_ = now + pause_;
    }
    return n_active_;
  }

  /// A job ended: the caller worked on it for `worked`, then waited for the others for `waited`.
  void note(Duration worked, Duration waited, Clock::time_point now) {
    // Where items take milliseconds, so does waiting for the last one.
    if (waited < kStall || waited < 4 * worked) return;
    const bool is_soon = now < last_stall_ + 2 * pause_;
    pause_ = is_soon ? std::min(2 * pause_, kLongestPause) : kShortestPause;
    n_active_ = std::max<std::uint32_t>(n_active_, 2) - 1;
    last_stall_ = now;
    next_try_ = now + pause_;
  }

 private:
  std::uint32_t n_threads_;
  std::uint32_t n_active_;
  Duration pause_ = kShortestPause;
  Clock::time_point next_try_ = {};
  Clock::time_point last_stall_ = {};
};

}  // namespace kinglet::inference::cpu
