// Threads that compute one thing at a time and sleep in between: a compiler shares the machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace kinglet::inference::cpu {

/// Items of a job are handed out one by one, so a thread that the system runs late takes fewer, and
/// one that wakes after the job's last item is not waited for. One thread calls for_each().
class ThreadPool {
 public:
  /// `n_threads` counts the caller; 1 makes no thread.
  explicit ThreadPool(std::uint32_t n_threads);
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

  void run(std::uint32_t n_items, Call call, void* context);
  void work(std::uint32_t thread);
  void worker(std::uint32_t thread);

  // The job. Written by run() only while no item is left to take, read only by who has taken one.
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::uint32_t n_items_ = 0;

  std::atomic<std::uint32_t> n_left_ = 0;  // items not taken yet
  std::atomic<std::uint32_t> n_done_ = 0;
  std::atomic<std::uint32_t> n_jobs_ = 0;  // sleeping workers wait for a change
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace kinglet::inference::cpu
