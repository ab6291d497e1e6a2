// Threads that compute one thing at a time and sleep in between: a compiler shares the machine.
//
// A job's items are parted evenly among the threads, so that each reads one stretch of memory, the
// same one whenever the same job comes again; who is done early takes items from the ends of the
// others' stretches. A thread that wakes late finds its stretch taken by others and is not waited
// for. Between jobs a thread looks out for the next one for a few microseconds, then it sleeps.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <type_traits>
#include <vector>

#include "inference/cpu/thread_budget.h"

namespace kinglet::inference::cpu {

/// One thread calls for_each().
class ThreadPool {
 public:
  /// `n_threads` counts the caller; 1 makes no thread. The others run on the given processors only,
  /// where the system lets them (empty: on any).
  explicit ThreadPool(std::uint32_t n_threads, std::span<const std::uint32_t> processors = {});
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  std::uint32_t n_threads() const { return static_cast<std::uint32_t>(workers_.size()) + 1; }

  /// Calls body(item, thread) once for each item in 0..n_items-1, on any threads in any order;
  /// returns when all are done. thread < n_threads() tells whose scratch memory to use. `body` must
  /// not throw and not call for_each().
  template <class Body>
  void for_each(std::uint32_t n_items, Body&& body) {
    if (workers_.empty() || n_items <= 1) {
      for (std::uint32_t item = 0; item < n_items; ++item)
        body(item, std::uint32_t{0});
      return;
    }
    using Plain = std::remove_reference_t<Body>;
    run(
        n_items,
        [](void* context, std::uint32_t item, std::uint32_t thread) {
          (*static_cast<Plain*>(context))(item, thread);
        },
        &body);
  }

 private:
  using Call = void (*)(void* context, std::uint32_t item, std::uint32_t thread);

  /// A thread's items of the job that nobody has taken yet: [begin, end), begin in the upper half.
  /// Alone in its cache lines: its owner looks at it once an item.
  struct alignas(128) Stretch {
    std::atomic<std::uint64_t> items = 0;
    std::atomic<std::uint32_t> n_calls = 0;  // the thread was called to so many jobs
  };

  void run(std::uint32_t n_items, Call call, void* context);
  void work(std::uint32_t thread);
  void worker(std::uint32_t thread);

  // The job. Written by run() only while no item is left to take, read only by who has taken one.
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::uint32_t n_items_ = 0;

  std::unique_ptr<Stretch[]> stretches_;  // (n_threads)
  std::atomic<std::uint32_t> n_done_ = 0;
  std::atomic<bool> stopping_ = false;
  ThreadBudget budget_;
  std::vector<std::thread> workers_;
};

}  // namespace kinglet::inference::cpu
