#include "inference/cpu/thread_pool.h"

namespace kinglet::inference::cpu {

ThreadPool::ThreadPool(std::uint32_t n_threads) {
  for (std::uint32_t thread = 1; thread < n_threads; ++thread) {
    workers_.emplace_back([this, thread] { worker(thread); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  n_jobs_.fetch_add(1, std::memory_order_release);
  n_jobs_.notify_all();
  for (std::thread& thread : workers_)
    thread.join();
}

void ThreadPool::run(std::uint32_t n_items, Call call, void* context) {
  call_ = call;
  context_ = context;
  n_items_ = n_items;
  n_done_.store(0, std::memory_order_relaxed);
  // Publishes the job: whoever takes an item has read this store or one that follows from it.
  n_left_.store(n_items, std::memory_order_release);
  n_jobs_.fetch_add(1, std::memory_order_release);
  n_jobs_.notify_all();
  work(0);
  for (std::uint32_t n_done = n_done_.load(std::memory_order_acquire); n_done != n_items;
       n_done = n_done_.load(std::memory_order_acquire)) {
    n_done_.wait(n_done, std::memory_order_acquire);
  }
}

void ThreadPool::work(std::uint32_t thread) {
  std::uint32_t n_left = n_left_.load(std::memory_order_acquire);
  while (n_left != 0) {
    if (!n_left_.compare_exchange_weak(
            n_left, n_left - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      continue;
    }
    // The taken item is not done, so run() waits and the job's fields stand still until then.
    const std::uint32_t n_items = n_items_;
    call_(context_, n_items - n_left, thread);
    if (n_done_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_items) n_done_.notify_one();
    n_left = n_left_.load(std::memory_order_acquire);
  }
}

void ThreadPool::worker(std::uint32_t thread) {
  std::uint32_t n_seen = 0;
  while (true) {
    n_jobs_.wait(n_seen, std::memory_order_acquire);
    n_seen = n_jobs_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return;
    work(thread);
  }
}

}  // namespace kinglet::inference::cpu
