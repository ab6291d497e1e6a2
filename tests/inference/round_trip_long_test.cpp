// The long twin of round_trip_test.cpp: 100 MB of the source text that this machine has.
#include <cstdlib>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/inference/round_trip.h"
#include "tests/support/long_test.h"
#include "tests/support/skip.h"

TEST_CASE("100 MB of real source text comes back byte for byte") {
  using namespace kinglet::test;
  constexpr std::uint64_t kBytes = 100'000'000;
  constexpr std::uint64_t kSeed = 1;
  // What Debian installs, or what is named: folders with ':' between.
  const char* named = std::getenv("KINGLET_SOURCES");
  std::istringstream folders(named != nullptr ? named : "/usr/include:/usr/lib:/usr/share");
  std::vector<std::filesystem::path> roots;
  for (std::string folder; std::getline(folders, folder, ':');)
    roots.emplace_back(folder);
  const auto files = source_files(roots, kBytes, kSeed);

  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [name, tokenizer] : real_tokenizers()) {
    CAPTURE(name);
    const RoundTripFigures figures = round_trip(tokenizer, files);
    if (figures.bytes < kBytes) SKIP("less than 100 MB of source text: set KINGLET_SOURCES");
    CHECK(figures.control_tokens == 0);
    CHECK(figures.changed == std::vector<std::string>());
    CHECK(figures.other_by_lines == std::vector<std::string>());
    rows.emplace_back(name,
                      std::to_string(figures.files) + " files (" +
                          std::to_string(figures.not_utf8) + " not UTF-8), " +
                          std::to_string(figures.bytes) + " bytes, " +
                          std::to_string(figures.tokens) + " tokens, " +
                          std::to_string(figures.changed.size()) + " files changed");
  }
  write_results(
      "tokenizer_round_trip", "Source text to tokens and back, byte for byte", kSeed, rows);
}
