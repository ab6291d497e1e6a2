#include "inference/cpu/thread_pool.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::cpu::ThreadPool;

TEST_SUITE("inference/cpu/thread_pool") {
  TEST_CASE("every item of every job is done once before for_each returns") {
    for (const std::uint32_t n_threads : {1U, 2U, 3U, 7U}) {
      ThreadPool pool(n_threads);
      CHECK(pool.n_threads() == n_threads);
      // Jobs of changing length, back to back: late threads meet the next job.
      for (std::uint32_t job = 0; job < 2000; ++job) {
        const std::uint32_t n_items = job % 19;
        std::vector<std::uint8_t> times(n_items, 0);
        std::atomic<bool> foreign = false;
        pool.for_each(n_items, [&](std::uint32_t item, std::uint32_t thread) {
          ++times[item];
          if (thread >= n_threads) foreign = true;
        });
        CHECK(times == std::vector<std::uint8_t>(n_items, 1));
        CHECK(!foreign);
      }
    }
  }

  TEST_CASE("who is done early takes over what others have not begun") {
    ThreadPool pool(2);
    constexpr std::uint32_t kItems = 40;
    // The first item of a stretch ends only when all others are done, its own stretch's, too.
    std::atomic<std::uint32_t> n_left = kItems - 1;
    pool.for_each(kItems, [&](std::uint32_t item, std::uint32_t) {
      if (item != 0) {
        --n_left;
        return;
      }
      while (n_left != 0)
        std::this_thread::yield();
    });
    CHECK(n_left == 0);
  }

  TEST_CASE("a job does not wait for threads that cannot run") {
    // Far more threads than processors: most of them come late, and their items are taken.
    ThreadPool pool(64);
    std::atomic<std::uint64_t> sum = 0;
    const auto start = std::chrono::steady_clock::now();
    for (std::uint32_t job = 0; job < 200; ++job)
      pool.for_each(128, [&](std::uint32_t item, std::uint32_t) { sum += item; });
    CHECK(sum == std::uint64_t{200} * (127 * 128 / 2));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  }

  TEST_CASE("processors that are not there are no reason to fail") {
    const std::vector<std::uint32_t> nowhere = {100'000, 1023};
    ThreadPool pool(2, nowhere);
    std::atomic<std::uint32_t> n_done = 0;
    pool.for_each(100, [&](std::uint32_t, std::uint32_t) { ++n_done; });
    CHECK(n_done == 100);
  }

  TEST_CASE("threads without work sleep") {
    ThreadPool pool(4);
    pool.for_each(8, [](std::uint32_t, std::uint32_t) {});
    const std::clock_t before = std::clock();  // processor time of all threads
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const double busy = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    CHECK(busy < 0.05);
  }
}

}  // namespace kinglet::test
