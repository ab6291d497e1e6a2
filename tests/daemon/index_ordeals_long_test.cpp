// The long twin of index_ordeals_test.cpp.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "tests/daemon/index_ordeals.h"
#include "tests/support/long_test.h"

namespace kinglet::test {
namespace {

constexpr std::uint64_t kSeed = 6;

std::string shown(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", number);
  return text.data();
}

}  // namespace

TEST_CASE("an index over a damaged store is what a fresh one is (5,000 stores)") {
  Checkpoint checkpoint("index_damage", kSeed);
  auto done = checkpoint.state();
  const auto value = [&](const char* what) { return done.value(what, std::uint64_t{0}); };
  while (value("rounds") < 5000) {
    const auto figures =
        run_damaged_stores({.seed = kSeed, .first_round = value("rounds"), .n_rounds = 250});
    done["rounds"] = value("rounds") + 250;
    done["parsed"] = value("parsed") + figures.n_parsed;
    done["recalled"] = value("recalled") + figures.n_recalled;
    checkpoint.save(done);
  }
  write_results("index_damage",
                "Indexing over damaged stores",
                kSeed,
                {{"stores, after each the dump equal to a fresh index's", done["rounds"].dump()},
                 {"files parsed again", done["parsed"].dump()},
                 {"files that the damaged stores still knew", done["recalled"].dump()}});
  checkpoint.clear();
}

TEST_CASE("an index of a program killed again and again is what a fresh one is (2,000 kills)") {
  Checkpoint checkpoint("index_kills", kSeed);
  auto done = checkpoint.state();
  const auto value = [&](const char* what) { return done.value(what, std::uint64_t{0}); };
  while (value("kills") < 2000) {
    const auto figures =
        run_index_kills({.seed = kSeed, .first_round = value("rounds"), .n_rounds = 100});
    done["rounds"] = value("rounds") + 100;
    done["kills"] = value("kills") + figures.n_kills;
    done["compared"] = value("compared") + figures.n_settled;
    checkpoint.save(done);
  }
  write_results("index_kills",
                "Indexing programs killed at random moments",
                kSeed,
                {{"kills", done["kills"].dump()},
                 {"dumps compared with a fresh index's, all equal", done["compared"].dump()}});
  checkpoint.clear();
}

TEST_CASE("an index follows switched branches while somebody types (20 of 10,000 files)") {
  const auto figures = run_branch_switches({.seed = kSeed, .n_rounds = 20}, 10'000);
  write_results("index_switches",
                "Switched branches of 10,000 files, 1,000 of them changed, while typing",
                kSeed,
                {{"switches, after each the dump equal to a fresh index's", "20"},
                 {"requests meanwhile, no answer wrong", std::to_string(figures.n_requests)},
                 {"of these without an answer, about a file just switched and not indexed again",
                  std::to_string(figures.n_silent)},
                 {"their latency, median (ms)", shown(figures.p50_ms)},
                 {"99 of 100 (ms)", shown(figures.p99_ms)},
                 {"the longest (ms)", shown(figures.worst_ms)},
                 {"longest time until the index showed a switch, a fresh index's for comparison "
                  "included (s)",
                  shown(figures.settle_seconds)}});
  CHECK(figures.p99_ms <= 200);
}

TEST_CASE("a repository of a million files is indexed within the memory limit") {
  constexpr std::uint64_t kLimit = 1024;
  const auto figures = run_many_files(1'000'000, kLimit);
  write_results(
      "index_million",
      "A repository of a million files",
      kSeed,
      {{"memoryLimit (MiB)", std::to_string(kLimit)},
       {"the most that the daemon took, resident (MiB)", std::to_string(figures.peak_bytes >> 20)},
       {"of the index in files in the end (MiB)", std::to_string(figures.in_files >> 20)},
       {"from nothing (s)", shown(figures.cold_seconds)},
       {"with the store of the first time (s)", shown(figures.warm_seconds)},
       {"a prompt of 2,000 tokens, packed (ms)", shown(figures.pack_seconds * 1000)}});
  CHECK(figures.peak_bytes <= kLimit << 20);
}

}  // namespace kinglet::test
