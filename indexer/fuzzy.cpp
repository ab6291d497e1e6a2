#include "indexer/fuzzy.h"

#include <algorithm>
#include <cstddef>

namespace kinglet::indexer {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_letter(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}

bool begins_word(std::string_view name, std::size_t at) {
  if (at == 0) return true;
  if (!is_letter(name[at - 1])) return is_letter(name[at]);
  return is_upper(name[at]) && !is_upper(name[at - 1]);
}

// Letters one after the other; with `prefer_words` each one at the next word's start where there is
// one. The number of letters that continue the one before or begin a word; -1: no match.
int match(std::string_view query, std::string_view name, bool prefer_words) {
  int n_good = 0;
  std::size_t at = 0;
  for (const char wanted : query) {
    const bool continues = at > 0 && at < name.size() && lower(name[at]) == lower(wanted);
    std::size_t found = name.size();
    if (continues) {
      found = at;
    } else {
      for (std::size_t i = at; i < name.size(); ++i) {
        if (lower(name[i]) != lower(wanted)) continue;
        if (found == name.size()) found = i;
        if (!prefer_words || begins_word(name, i)) {
          found = i;
          break;
        }
      }
    }
    if (found == name.size()) return -1;
    if (continues || begins_word(name, found)) ++n_good;
    at = found + 1;
  }
  return n_good;
}

}  // namespace

std::optional<int> fuzzy_score(std::string_view query, std::string_view name) {
  const int plain = match(query, name, false);
  if (plain < 0) return std::nullopt;
  const int good = std::max(plain, match(query, name, true));
  const auto size = static_cast<int>(std::min<std::size_t>(name.size(), 200));
  const bool is_prefix = name.size() >= query.size() &&
                         std::equal(query.begin(), query.end(), name.begin(), [](char a, char b) {
                           return lower(a) == lower(b);
                         });
  int score = 1000 * good / static_cast<int>(std::max<std::size_t>(query.size(), 1)) - size;
  if (is_prefix) score += 2000;
  if (name.starts_with(query)) score += 500;
  if (is_prefix && name.size() == query.size()) score += 5000;
  return score;
}

}  // namespace kinglet::indexer
