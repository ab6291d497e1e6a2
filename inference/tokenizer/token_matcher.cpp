#include "inference/tokenizer/token_matcher.h"

#include <algorithm>

namespace kinglet::inference {

TokenMatcher::TokenMatcher(std::vector<std::pair<std::string, TokenId>> tokens)
    : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const auto& token) { return token.first.empty(); });
  std::sort(tokens_.begin(), tokens_.end());
  for (const auto& [text, id] : tokens_)
    starts_[static_cast<unsigned char>(text.front())] = true;
}

std::optional<TokenMatcher::Match> TokenMatcher::find(std::string_view text,
                                                      std::size_t from) const {
  if (tokens_.empty()) return std::nullopt;
  for (std::size_t i = from; i < text.size(); ++i) {
    if (!starts_[static_cast<unsigned char>(text[i])]) continue;
    if (const auto match = match_at(text, i)) return match;
  }
  return std::nullopt;
}

std::optional<TokenMatcher::Match> TokenMatcher::match_at(std::string_view text,
                                                          std::size_t begin) const {
  // Narrows the sorted texts to those that go on as the text does, one byte at a time.
  auto first = tokens_.begin();
  auto last = tokens_.end();
  std::optional<Match> longest;
  for (std::size_t i = 0; begin + i < text.size(); ++i) {
    const auto byte_of = [i](const std::pair<std::string, TokenId>& token) {
      return i < token.first.size() ? static_cast<unsigned char>(token.first[i]) : -1;
    };
    const int wanted = static_cast<unsigned char>(text[begin + i]);
    first = std::partition_point(
        first, last, [&](const auto& token) { return byte_of(token) < wanted; });
    last = std::partition_point(
        first, last, [&](const auto& token) { return byte_of(token) == wanted; });
    if (first == last) break;
    if (first->first.size() == i + 1) longest = Match{begin, i + 1, first->second};
  }
  return longest;
}

}  // namespace kinglet::inference
