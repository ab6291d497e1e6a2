#include "inference/cpu/thread_budget.h"

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::cpu::ThreadBudget;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

/// A machine's clock, and a pool's jobs on it.
struct Machine {
  ThreadBudget::Clock::time_point now{std::chrono::hours(1)};
  ThreadBudget budget{4};

  /// A job in whose middle a thread is kept from its processor for `waited`.
  std::uint32_t run(ThreadBudget::Duration waited) {
    const std::uint32_t n = budget.take(now);
    now += microseconds(40) + waited;
    budget.note(microseconds(40), waited, now);
    return n;
  }
};

}  // namespace

TEST_SUITE("inference/cpu/thread_budget") {
  TEST_CASE("short waits cost no thread") {
    Machine machine;
    for (int i = 0; i < 1000; ++i)
      CHECK(machine.run(microseconds(100)) == 4);
  }

  TEST_CASE("a wait is no stall where the job itself takes as long") {
    ThreadBudget budget(2);
    budget.note(milliseconds(10), milliseconds(12), {});
    CHECK(budget.take({}) == 2);
  }

  TEST_CASE("after a stall one thread less takes part for a while") {
    Machine machine;
    CHECK(machine.run(milliseconds(3)) == 4);
    const auto end = machine.now + ThreadBudget::kShortestPause;
    while (machine.now < end)
      CHECK(machine.run(microseconds(1)) == 3);
    CHECK(machine.run(microseconds(1)) == 4);
  }

  TEST_CASE("one thread is left at least") {
    Machine machine;
    for (int i = 0; i < 10; ++i)
      machine.run(milliseconds(3));
    CHECK(machine.run(microseconds(1)) == 1);
  }

  TEST_CASE("with a process that stays, few stalls are met") {
    Machine machine;
    int n_stalls = 0;
    const auto end = machine.now + std::chrono::seconds(10);
    while (machine.now < end) {
      const bool is_stalled = machine.budget.take(machine.now) == 4;
      n_stalls += static_cast<int>(is_stalled);
      machine.run(is_stalled ? milliseconds(3) : milliseconds(0));
    }
    // 10 s / 256 ms, and those on the way there.
    CHECK(n_stalls > 10);
    CHECK(n_stalls < 50);
  }

  TEST_CASE("when the process is gone all threads come back, and a pause is short again") {
    Machine machine;
    for (int i = 0; i < 10; ++i)
      machine.run(milliseconds(3));
    const auto gone = machine.now;
    while (machine.run(microseconds(1)) != 4)
      CHECK(machine.now - gone < 4 * ThreadBudget::kLongestPause);
    machine.now += 3 * ThreadBudget::kLongestPause;
    machine.run(milliseconds(3));
    machine.now += ThreadBudget::kShortestPause;
    CHECK(machine.run(microseconds(1)) == 4);
  }
}

}  // namespace kinglet::test
