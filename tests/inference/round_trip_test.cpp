#include "tests/inference/round_trip.h"

#include <doctest/doctest.h>

namespace kinglet::test {

TEST_SUITE("inference/round_trip") {
  TEST_CASE("our own sources come back byte for byte from tokens of every vocabulary at hand") {
    constexpr std::uint64_t kBytes = 2'000'000;
    constexpr std::uint64_t kSeed = 3;
    const auto files = source_files({KINGLET_SOURCE_DIR}, kBytes, kSeed);
    REQUIRE(files.size() > 100);
    for (const auto& [name, tokenizer] : real_tokenizers()) {
      CAPTURE(name);
      const RoundTripFigures figures = round_trip(tokenizer, files);
      CHECK(figures.bytes > kBytes / 2);
      CHECK(figures.control_tokens == 0);
      CHECK(figures.changed == std::vector<std::string>());
    }
  }
}

}  // namespace kinglet::test
