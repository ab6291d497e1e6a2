// Work of a few milliseconds on several cores: someone waits for it at a keyboard.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <future>
#include <thread>
#include <vector>

namespace kinglet::indexer {

/// Calls `visit(i)` for each i below `n`, on this thread and on up to three others. The visits run
/// in any order and must not share what one of them changes.
template <class Visit>
void in_parallel(std::size_t n, const Visit& visit) {
  constexpr std::size_t kMaxThreads = 4;
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < n; i = next++)
      visit(i);
  };
  const std::size_t n_threads =
      std::min({n, kMaxThreads, std::size_t{std::max(1U, std::thread::hardware_concurrency())}});
  // Where no thread can be had, its share is done here, in the end.
  std::vector<std::future<void>> others;
  for (std::size_t i = 1; i < n_threads; ++i)
    others.push_back(std::async(work));
  work();
  for (std::future<void>& other : others)
    other.get();
}

}  // namespace kinglet::indexer
