#include "indexer/context/file_window.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

namespace kinglet::indexer {
namespace {

// Not additive, like a real tokenizer: words cost by length, and each text one more.
std::size_t count(std::string_view text) {
  std::size_t n_tokens = text.empty() ? 0 : 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ' || i == 0 || text[i - 1] != ' ') n_tokens += i % 4 == 0 || text[i] == '\n';
  }
  return n_tokens;
}

}  // namespace

TEST_SUITE("indexer/context/file_window") {
  TEST_CASE("whole lines that fit, nearly all of them, never more") {
    std::mt19937 random(4);
    for (int round = 0; round < 400; ++round) {
      std::string text;
      for (unsigned n = random() % 200; n > 0; --n) {
        text += std::string(random() % 8, ' ') + std::string(random() % 60, 'x') + "\n";
      }
      const std::size_t budget = random() % 900;
      const Fit last = fit_last_lines(text, budget, count);
      const Fit first = fit_first_lines(text, budget, count);
      const std::string tail = text.substr(text.size() - last.n_bytes);
      const std::string head = text.substr(0, first.n_bytes);
      REQUIRE(last.n_tokens <= budget);
      REQUIRE(last.n_tokens == count(tail));
      REQUIRE(first.n_tokens <= budget);
      REQUIRE(first.n_tokens == count(head));
      CHECK((tail.size() == text.size() || text[text.size() - tail.size() - 1] == '\n'));
      CHECK((head.empty() || head.back() == '\n'));
      CHECK(last.is_whole == (tail.size() == text.size()));
      // Two lines more would not fit: little is given away.
      if (!last.is_whole && budget > 100) CHECK(last.n_tokens * 10 > budget * 8);
      if (!first.is_whole && budget > 100) CHECK(first.n_tokens * 10 > budget * 8);
    }
  }

  TEST_CASE("odd texts") {
    CHECK(fit_last_lines("", 10, count).is_whole);
    CHECK(fit_last_lines("", 0, count).is_whole);
    CHECK(fit_last_lines("a\n", 0, count).n_bytes == 0);
    // One line of 5 MB does not fit and is never counted.
    const std::string huge(5'000'000, 'x');
    std::size_t n_counted = 0;
    const auto counting = [&](std::string_view text) {
      n_counted += text.size();
      return count(text);
    };
    CHECK(fit_last_lines(huge + "\n", 1000, counting).n_bytes == 0);
    CHECK(fit_first_lines(huge, 1000, counting).n_bytes == 0);
    CHECK(n_counted == 0);
    const Fit end = fit_last_characters(huge, 1000, counting);
    CHECK(end.n_bytes > 1000);
    CHECK(end.n_tokens <= 1000);
    // Characters stay whole.
    const std::string umlauts = "\xC3\xA4\xC3\xB6\xC3\xBC";
    const auto bytes = [](std::string_view text) { return text.size(); };
    CHECK(fit_last_characters(umlauts, 3, bytes).n_bytes == 2);
  }
}

}  // namespace kinglet::indexer
