#include "indexer/ignore_rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace kinglet::indexer {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_in_class(std::string_view name, unsigned char c) {
  constexpr std::array<std::pair<std::string_view, int (*)(int)>, 12> kClasses = {{
      {"alnum", [](int x) { return std::isalnum(x); }},
      {"alpha", [](int x) { return std::isalpha(x); }},
      {"blank", [](int x) { return std::isblank(x); }},
      {"cntrl", [](int x) { return std::iscntrl(x); }},
      {"digit", [](int x) { return std::isdigit(x); }},
      {"graph", [](int x) { return std::isgraph(x); }},
      {"lower", [](int x) { return std::islower(x); }},
      {"print", [](int x) { return std::isprint(x); }},
      {"punct", [](int x) { return std::ispunct(x); }},
      {"space", [](int x) { return std::isspace(x); }},
      {"upper", [](int x) { return std::isupper(x); }},
      {"xdigit", [](int x) { return std::isxdigit(x); }},
  }};
  for (const auto& [known, test] : kClasses) {
    if (known == name) return test(c) != 0;
  }
  return false;
}

struct SetMatch {
  bool matches = false;
  std::size_t past = kNone;  // of the closing ']'; kNone: it is not closed
};

// [a-z], [!a], [^a], []a], [[:alpha:]]; `at` is past the '['.
SetMatch match_set(std::string_view pattern, std::size_t at, char c) {
  const bool is_negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (is_negated) ++at;
  bool found = false;
  for (bool is_first = true; at < pattern.size(); is_first = false) {
    char low = pattern[at];
    if (low == ']' && !is_first) return {found != is_negated, at + 1};
    if (low == '[' && at + 1 < pattern.size() && pattern[at + 1] == ':') {
      const std::size_t close = pattern.find(":]", at + 2);
      if (close != kNone) {
        const std::string_view name = pattern.substr(at + 2, close - at - 2);
        found |= is_in_class(name, static_cast<unsigned char>(c));
        at = close + 2;
        continue;
      }
    }
    if (low == '\\' && at + 1 < pattern.size()) low = pattern[++at];
    ++at;
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = pattern[++at];
      if (high == '\\' && at + 1 < pattern.size()) high = pattern[++at];
      ++at;
    }
    const auto value = static_cast<unsigned char>(c);
    found |= static_cast<unsigned char>(low) <= value && value <= static_cast<unsigned char>(high);
  }
  return {};
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t slash = text.find('/', begin);
    parts.emplace_back(text.substr(begin, slash == kNone ? kNone : slash - begin));
    if (slash == kNone) return parts;
    begin = slash + 1;
  }
}

// "**" stands for any number of folders; at the end for at least one name. Only the last "**" needs
// to be tried again: what it skipped, an earlier one could only skip as well.
bool matches_path(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  std::size_t p = 0;
  std::size_t s = 0;
  std::size_t retry_pattern = kNone;
  std::size_t retry_path = 0;
  while (s < path.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      if (p + 1 == pattern.size()) return true;
      retry_pattern = ++p;
      retry_path = s;
    } else if (p < pattern.size() && matches_glob(pattern[p], path[s])) {
      ++p;
      ++s;
    } else if (retry_pattern != kNone) {
      p = retry_pattern;
      s = ++retry_path;
    } else {
      return false;
    }
  }
  return p == pattern.size();
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t retry_pattern = kNone;  // past the last star
  std::size_t retry_name = 0;
  while (n < name.size()) {
    const char sign = p < pattern.size() ? pattern[p] : '\0';
    bool matches = false;
    std::size_t past = p + 1;
    if (p >= pattern.size()) {
      matches = false;
    } else if (sign == '*') {
      retry_pattern = ++p;
      retry_name = n;
      continue;
    } else if (sign == '?') {
      matches = true;
    } else if (sign == '[') {
      const SetMatch set = match_set(pattern, p + 1, name[n]);
      if (set.past == kNone) return false;  // as git: a pattern that is not one matches nothing
      matches = set.matches;
      past = set.past;
    } else if (sign == '\\') {
      if (p + 1 == pattern.size()) return false;
      matches = pattern[p + 1] == name[n];
      past = p + 2;
    } else {
      matches = sign == name[n];
    }
    if (matches) {
      p = past;
      ++n;
    } else if (retry_pattern != kNone) {
      p = retry_pattern;
      n = ++retry_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

IgnoreRules::IgnoreRules(std::string_view text, std::string source) : source_(std::move(source)) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::size_t n_line = 1; !text.empty(); ++n_line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Spaces at the end do not count unless escaped.
    while (line.ends_with(' ') && !line.ends_with("\\ "))
      line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;

    Rule rule;
    rule.line = n_line;
    rule.text = line;
    if (line[0] == '!') {
      rule.is_negated = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      rule.is_for_folders = true;
      line.remove_suffix(1);
    }
    rule.is_anchored = line.find('/') != kNone;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) continue;
    rule.segments = split(line);
    rules_.push_back(std::move(rule));
  }
}

std::optional<IgnoreRules::Match> IgnoreRules::match(std::string_view path, bool is_folder) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  std::vector<std::string> parts;  // of the path, once an anchored rule asks
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->is_for_folders && !is_folder) continue;
    bool matches = false;
    if (rule->is_anchored) {
      if (parts.empty()) parts = split(path);
      matches = matches_path(rule->segments, parts);
    } else {
      matches = matches_glob(rule->segments.front(), name);
    }
    if (matches) {
      return Match{!rule->is_negated,
                   source_ + ":" + std::to_string(rule->line) + ": " + rule->text};
    }
  }
  return std::nullopt;
}

}  // namespace kinglet::indexer
