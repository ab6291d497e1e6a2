// The long twin of kill_loop_test.cpp.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/daemon/processes/kill_loop.h"
#include "tests/support/long_test.h"

TEST_CASE("workers killed at random moments cost no answer (2,000 rounds)") {
  using namespace kinglet::test;
  constexpr std::uint64_t kSeed = 2;
  constexpr std::uint64_t kRounds = 2000;
  constexpr std::uint64_t kRoundsAtOnce = 100;  // between checkpoints, with a daemon of their own
  Checkpoint checkpoint("kill_loop", kSeed);
  auto done = checkpoint.state();
  const auto count = [&](const char* what, std::uint64_t more) {
    done[what] = done.value(what, std::uint64_t{0}) + more;
  };
  while (done.value("rounds", std::uint64_t{0}) < kRounds) {
    const auto figures = run_kill_loop({.seed = kSeed,
                                        .first_round = done.value("rounds", std::uint64_t{0}),
                                        .n_rounds = kRoundsAtOnce});
    count("rounds", kRoundsAtOnce);
    count("engines", figures.n_engine_kills);
    count("parse workers", figures.n_parse_worker_kills);
    count("errors", figures.n_errors);
    checkpoint.save(done);
  }
  write_results("kill_loop",
                "Workers killed at random moments of completions",
                kSeed,
                {{"rounds, each with exactly one answer", done["rounds"].dump()},
                 {"engines killed", done["engines"].dump()},
                 {"parse workers killed", done["parse workers"].dump()},
                 {"answers that were errors", done["errors"].dump()}});
  checkpoint.clear();
}
