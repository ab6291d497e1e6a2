#include "tests/inference/round_trip.h"

#include <random>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "inference/tokenizer/line_segments.h"

namespace kinglet::test {

TEST_SUITE("inference/round_trip") {
  TEST_CASE("our own sources come back byte for byte from tokens of every vocabulary at hand") {
    constexpr std::uint64_t kBytes = 2'000'000;
    constexpr std::uint64_t kSeed = 3;
    const auto files = source_files({KINGLET_SOURCE_DIR}, kBytes, kSeed);
    REQUIRE(files.size() > 100);
    for (const auto& named : real_tokenizers()) {
      const inference::Tokenizer& tokenizer = named.second;
      CAPTURE(named.first);
      const RoundTripFigures figures = round_trip(tokenizer, files);
      CHECK(figures.bytes > kBytes / 2);
      CHECK(figures.control_tokens == 0);
      CHECK(figures.changed == std::vector<std::string>());
      CHECK(figures.other_by_lines == std::vector<std::string>());
    }
  }

  TEST_CASE("white space of all kinds between lines does not join their tokens") {
    static constexpr std::string_view kParts[] = {
        "\n", "\n", "\n\n",   "\r\n",   "\r",     " ",      "    ",   "\t",     "\t\t",
        "\f", "\v", "\u00a0", "\u3000", "\u2028", "\u0085", "a",      "return", "{",
        "};", "1",  "#",      "//",     "\"\"\"", "'s",     "\u00e4", "\u4e2d", "\xff"};
    for (const auto& named : real_tokenizers()) {
      const inference::Tokenizer& tokenizer = named.second;
      if (!inference::splits_at_lines(tokenizer)) continue;
      CAPTURE(named.first);
      std::mt19937 random(7);
      for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (auto n = random() % 12; n > 0; --n)
          text += kParts[random() % std::size(kParts)];
        CAPTURE(text);
        REQUIRE(is_same_by_lines(tokenizer, text));
      }
    }
  }
}

}  // namespace kinglet::test
