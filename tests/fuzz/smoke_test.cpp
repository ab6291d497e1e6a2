// The fuzz targets' twin for every test run: seeded inputs, a few seconds. It also counts memory
// and time.
#include <string>

#include <doctest/doctest.h>

#include "tests/fuzz/fuzz_run.h"

namespace kinglet::test {

TEST_SUITE("fuzz/targets") {
  TEST_CASE("good inputs are accepted") {
    for (const FuzzTarget* target : all_fuzz_targets()) {
      INFO(target->name);
      std::uint64_t n_accepted = 0;
      for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const FuzzFigures figures = run_fuzz_input(*target, target->good(seed));
        CHECK(figures.trouble == "");
        n_accepted += figures.n_accepted;
      }
      // Of random grammars a few have no text.
      CHECK(n_accepted >= 30);
    }
  }

  TEST_CASE("spoiled inputs are refused or harmless, and cost no more than is allowed") {
    for (const FuzzTarget* target : all_fuzz_targets()) {
      INFO(target->name);
      constexpr std::uint64_t kInputs = 400;
      const FuzzFigures figures = run_fuzz_seeds(*target, 1'000'000, kInputs);
      CHECK(figures.trouble == "");
      INFO(figures.worst_bytes);
      CHECK(figures.n_beyond_bytes == 0);
      INFO(figures.worst_seed);
      CHECK(figures.worst_seconds < 10);  // with sanitizers on a busy machine; else below 1
      // The mutations are neither all deadly nor all without effect.
      CHECK(figures.n_accepted > kInputs / 8);
      CHECK(figures.n_accepted < kInputs);
    }
  }
}

}  // namespace kinglet::test
