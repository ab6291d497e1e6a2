#include "inference/tokenizer/token_matcher.h"

#include <doctest/doctest.h>

#include <random>

namespace kinglet::inference {
namespace {

/// "token@begin" of every match, from left to right.
std::string matches(const TokenMatcher& matcher, std::string_view text) {
  std::string out;
  std::size_t from = 0;
  while (const auto match = matcher.find(text, from)) {
    if (!out.empty()) out += ' ';
    out += std::to_string(match->token) + "@" + std::to_string(match->begin);
    from = match->begin + match->length;
  }
  return out;
}

}  // namespace

TEST_SUITE("inference/tokenizer/token_matcher") {
  TEST_CASE("the leftmost token is found, of those there the longest") {
    const TokenMatcher matcher({{"ab", 1}, {"abcd", 2}, {"bcde", 3}, {"", 4}, {"\xff", 5}});
    CHECK(matches(matcher, "ab") == "1@0");
    CHECK(matches(matcher, "xabcx") == "1@1");
    CHECK(matches(matcher, "abcdab") == "2@0 1@4");
    CHECK(matches(matcher, "abcde") == "2@0");
    CHECK(matches(matcher, "xbcde") == "3@1");
    CHECK(matches(matcher, "\xff") == "5@0");
    CHECK(matches(matcher, "").empty());
    CHECK(matches(TokenMatcher({}), "abcd").empty());
  }

  TEST_CASE("it finds what looking for each token everywhere finds") {
    std::mt19937 random(5);
    const auto word = [&](std::size_t longest) {
      std::string text;
      for (std::size_t n = 1 + random() % longest; n > 0; --n)
        text += static_cast<char>('a' + random() % 2);
      return text;
    };
    for (int round = 0; round < 500; ++round) {
      std::vector<std::string> words;
      for (int i = 0; i < 4; ++i) {
        const std::string added = word(5);
        if (std::find(words.begin(), words.end(), added) == words.end()) words.push_back(added);
      }
      std::vector<std::pair<std::string, TokenId>> tokens;
      for (std::size_t i = 0; i < words.size(); ++i)
        tokens.emplace_back(words[i], static_cast<TokenId>(i));
      const std::string text = word(20);
      std::size_t begin = text.size();
      std::size_t best = words.size();
      for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t at = text.find(words[i]);
        if (at == std::string::npos || at > begin) continue;
        if (at == begin && best < words.size() && words[i].size() < words[best].size()) continue;
        begin = at;
        best = i;
      }
      const auto match = TokenMatcher(tokens).find(text, 0);
      REQUIRE(match.has_value() == (best < words.size()));
      if (!match) continue;
      CHECK(match->begin == begin);
      CHECK(match->token == static_cast<TokenId>(best));
      CHECK(match->length == words[best].size());
    }
  }
}

}  // namespace kinglet::inference
