#include "inference/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <pthread.h>
#include <sched.h>

namespace kinglet::inference::cpu {

namespace {

using Clock = ThreadBudget::Clock;

// What a thread looks out for before it sleeps: about as long as it takes to be woken.
constexpr auto kLookOut = std::chrono::microseconds(5);

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// Waits until is_over(value), and returns that value.
template <class IsOver>
std::uint32_t wait_until(const std::atomic<std::uint32_t>& value, const IsOver& is_over) {
  std::uint32_t seen = value.load(std::memory_order_acquire);
  if (is_over(seen)) return seen;
  const Clock::time_point deadline = Clock::now() + kLookOut;
  do {
    for (int i = 0; i < 8; ++i) {
      pause();
      seen = value.load(std::memory_order_acquire);
      if (is_over(seen)) return seen;
    }
  } while (Clock::now() < deadline);
  while (!is_over(seen)) {
    value.wait(seen, std::memory_order_acquire);
    seen = value.load(std::memory_order_acquire);
  }
  return seen;
}

constexpr std::uint64_t items(std::uint32_t begin, std::uint32_t end) {
  return std::uint64_t{begin} << 32U | end;
}
constexpr std::uint32_t begin_of(std::uint64_t items) {
  return static_cast<std::uint32_t>(items >> 32U);
}
constexpr std::uint32_t end_of(std::uint64_t items) {
  return static_cast<std::uint32_t>(items);
}

enum class Side : std::uint8_t { kFront, kBack };

/// An item that nobody else gets.
///
/// That `taken` may have become another job's items of the same numbers does no harm: an item of
/// that job is taken then.
std::optional<std::uint32_t> take_one(std::atomic<std::uint64_t>& stretch, Side side) {
  std::uint64_t seen = stretch.load(std::memory_order_acquire);
  while (begin_of(seen) < end_of(seen)) {
    const std::uint32_t begin = begin_of(seen);
    const std::uint32_t end = end_of(seen);
    const std::uint64_t left = side == Side::kFront ? items(begin + 1, end) : items(begin, end - 1);
    if (stretch.compare_exchange_weak(
            seen, left, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return side == Side::kFront ? begin : end - 1;
    }
  }
  return std::nullopt;
}

/// Where the system refuses (a processor was taken away meanwhile), the thread runs on any.
void stay_on(std::span<const std::uint32_t> processors) {
  if (processors.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::uint32_t processor : processors) {
    if (processor < CPU_SETSIZE) CPU_SET(processor, &set);
  }
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
}

}  // namespace

ThreadPool::ThreadPool(std::uint32_t n_threads, std::span<const std::uint32_t> processors)
    : stretches_(std::make_unique<Stretch[]>(n_threads)), budget_(n_threads) {
  const std::vector<std::uint32_t> allowed(processors.begin(), processors.end());
  for (std::uint32_t thread = 1; thread < n_threads; ++thread) {
    workers_.emplace_back([this, thread, allowed] {
      stay_on(allowed);
      worker(thread);
    });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  for (std::uint32_t thread = 1; thread < n_threads(); ++thread) {
    stretches_[thread].n_calls.fetch_add(1, std::memory_order_release);
    stretches_[thread].n_calls.notify_one();
  }
  for (std::thread& thread : workers_)
    thread.join();
}

void ThreadPool::run(std::uint32_t n_items, Call call, void* context) {
  const Clock::time_point start = Clock::now();
  const std::uint32_t n_parts = std::min(budget_.take(start), n_items);
  if (n_parts == 1) {
    for (std::uint32_t item = 0; item < n_items; ++item)
      call(context, item, 0);
    return;
  }
  call_ = call;
  context_ = context;
  n_items_ = n_items;
  n_done_.store(0, std::memory_order_relaxed);
  // These stores publish the job: whoever takes an item has read one, or one that follows from it.
  for (std::uint32_t part = 0; part < n_parts; ++part) {
    const auto first = static_cast<std::uint32_t>(std::uint64_t{n_items} * part / n_parts);
    const auto end = static_cast<std::uint32_t>(std::uint64_t{n_items} * (part + 1) / n_parts);
    stretches_[part].items.store(items(first, end), std::memory_order_release);
  }
  for (std::uint32_t thread = 1; thread < n_parts; ++thread) {
    stretches_[thread].n_calls.fetch_add(1, std::memory_order_release);
    stretches_[thread].n_calls.notify_one();
  }
  work(0);
  const Clock::time_point worked = Clock::now();
  wait_until(n_done_, [=](std::uint32_t n_done) { return n_done == n_items; });
  const Clock::time_point end = Clock::now();
  budget_.note(worked - start, end - worked, end);
}

void ThreadPool::work(std::uint32_t thread) {
  std::uint32_t n_done = 0;
  std::uint32_t n_items = 0;
  // From the front of its own stretch, then from the backs of the others', the next one first.
  for (std::uint32_t i = 0; i < n_threads(); ++i) {
    const std::uint32_t part = (thread + i) % n_threads();
    const Side side = i == 0 ? Side::kFront : Side::kBack;
    while (const auto item = take_one(stretches_[part].items, side)) {
      // Until the taken item is counted run() waits, and the job's fields stand still.
      n_items = n_items_;
      call_(context_, *item, thread);
      ++n_done;
    }
  }
  if (n_done == 0) return;
  if (n_done_.fetch_add(n_done, std::memory_order_acq_rel) + n_done == n_items) {
    n_done_.notify_one();
  }
}

void ThreadPool::worker(std::uint32_t thread) {
  const std::atomic<std::uint32_t>& n_calls = stretches_[thread].n_calls;
  for (std::uint32_t n_heard = 0; true;) {
    n_heard = wait_until(n_calls, [=](std::uint32_t n) { return n != n_heard; });
    if (stopping_.load(std::memory_order_relaxed)) return;
    work(thread);
  }
}

}  // namespace kinglet::inference::cpu
