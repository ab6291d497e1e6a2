#include <doctest/doctest.h>

#include "tests/daemon/processes/kill_loop.h"

TEST_SUITE("daemon/processes/kill_loop") {
  TEST_CASE("workers killed at random moments cost no answer (20 rounds)") {
    const auto figures = kinglet::test::run_kill_loop({.seed = 1, .n_rounds = 20});
    CHECK(figures.n_engine_kills > 0);
    CHECK(figures.n_parse_worker_kills > 0);
    MESSAGE(figures.n_engine_kills << " engines and " << figures.n_parse_worker_kills
                                   << " parse workers killed, " << figures.n_errors << " errors");
  }
}
