#include "daemon/eval/measures.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "indexer/identifiers.h"

namespace kinglet::daemon {

namespace {

constexpr std::size_t kLongestNgram = 6;
constexpr double kBetaSquared = 4;

// Bytes that are not UTF-8 join the character before them, in both texts alike.
std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80U && !characters.empty()) {
      characters.back() = (characters.back() << 6U) | (byte & 0x3FU);
    } else {
      characters.push_back(byte);
    }
  }
  return characters;
}

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

std::u32string without_blanks(std::string_view text) {
  std::u32string characters = characters_of(text);
  std::erase_if(characters, [](char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
  return characters;
}

template <class Key>
using Counts = std::map<Key, std::size_t>;

template <class Key>
std::size_t n_common(const Counts<Key>& a, const Counts<Key>& b) {
  std::size_t n = 0;
  for (const auto& [key, count] : a) {
    if (const auto found = b.find(key); found != b.end()) n += std::min(count, found->second);
  }
  return n;
}

double ratio(std::size_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double edit_similarity(std::string_view a, std::string_view b) {
  const std::u32string first = characters_of(a);
  const std::u32string second = characters_of(b);
  const std::size_t longer = std::max(first.size(), second.size());
  if (longer == 0) return 1;
  std::vector<std::size_t> row(second.size() + 1);  // distances of a prefix of `first`
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = i;
  for (std::size_t i = 0; i < first.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t k = 0; k < second.size(); ++k) {
      const std::size_t replaced = diagonal + (first[i] == second[k] ? 0 : 1);
      diagonal = row[k + 1];
      row[k + 1] = std::min({replaced, row[k] + 1, row[k + 1] + 1});
    }
  }
  return 1 - ratio(row.back(), longer);
}

double chrf(std::string_view completion, std::string_view gold) {
  const std::u32string hypothesis = without_blanks(completion);
  const std::u32string reference = without_blanks(gold);
  double precision = 0;
  double recall = 0;
  // Orders that one of the texts is too short for do not count.
  std::size_t n_orders = 0;
  for (std::size_t n = 1; n <= std::min({kLongestNgram, hypothesis.size(), reference.size()});
       ++n) {
    const auto ngrams_of = [n](const std::u32string& text) {
      Counts<std::u32string_view> counts;
      for (std::size_t at = 0; at + n <= text.size(); ++at)
        ++counts[std::u32string_view(text).substr(at, n)];
      return counts;
    };
    const std::size_t n_matching = n_common(ngrams_of(hypothesis), ngrams_of(reference));
    precision += ratio(n_matching, hypothesis.size() - n + 1);
    recall += ratio(n_matching, reference.size() - n + 1);
    ++n_orders;
  }
  if (precision + recall == 0) return 0;
  precision /= static_cast<double>(n_orders);
  recall /= static_cast<double>(n_orders);
  return (1 + kBetaSquared) * precision * recall / (kBetaSquared * precision + recall);
}

double identifier_f1(std::string_view completion, std::string_view gold) {
  std::size_t n_all = 0;
  const auto identifiers_of = [&n_all](std::string_view text) {
    Counts<std::string_view> counts;
    indexer::for_each_identifier(text, [&](std::size_t, std::string_view name) {
      ++counts[name];
      ++n_all;
    });
    return counts;
  };
  const auto ours = identifiers_of(completion);
  const auto theirs = identifiers_of(gold);
  return n_all == 0 ? 1 : ratio(2 * n_common(ours, theirs), n_all);
}

TextMeasures compare_texts(std::string_view completion, std::string_view gold, Compared compared) {
  completion = stripped(completion);
  gold = stripped(gold);
  if (compared == Compared::kFirstLine)
    completion = stripped(completion.substr(0, completion.find('\n')));
  const std::u32string ours = characters_of(completion);
  const std::u32string theirs = characters_of(gold);
  const auto kept = std::ranges::mismatch(ours, theirs).in1 - ours.begin();
  return {.is_exact = completion == gold,
          .edit_similarity = edit_similarity(completion, gold),
          .chrf = chrf(completion, gold),
          .identifier_f1 = identifier_f1(completion, gold),
          .n_kept = static_cast<std::size_t>(kept)};
}

}  // namespace kinglet::daemon
