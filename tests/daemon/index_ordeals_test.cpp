#include "tests/daemon/index_ordeals.h"

#include <doctest/doctest.h>

namespace kinglet::test {

TEST_SUITE("daemon/index_ordeals") {
  TEST_CASE("an index over a damaged store is what a fresh one is (60 stores)") {
    const auto figures = run_damaged_stores({.seed = 1, .n_rounds = 60});
    CHECK(figures.n_parsed > 0);
    CHECK(figures.n_recalled > 0);
  }

  TEST_CASE("an index of a program killed again and again is what a fresh one is (20 rounds)") {
    const auto figures = run_index_kills({.seed = 1, .n_rounds = 20});
    CHECK(figures.n_kills == 18);
    CHECK(figures.n_settled == 2);
  }

  TEST_CASE("an index follows switched branches while somebody types (2 switches of 300 files)") {
    const auto figures = run_branch_switches({.seed = 1, .n_rounds = 2}, 300);
    CHECK(figures.n_requests == 90);
    CHECK(figures.n_silent < 20);
    MESSAGE("requests: p50 " << figures.p50_ms << " ms, worst " << figures.worst_ms
                             << " ms; a switch shows after " << figures.settle_seconds << " s");
  }

  TEST_CASE("a repository of many files is indexed within the memory limit (3,000 of 1,000,000)") {
    const auto figures = run_many_files(3'000, 128);
    CHECK(figures.peak_bytes < std::uint64_t{128} << 20);
    MESSAGE("at most " << (figures.peak_bytes >> 20) << " MiB, cold " << figures.cold_seconds
                       << " s, warm " << figures.warm_seconds << " s");
  }
}

}  // namespace kinglet::test
