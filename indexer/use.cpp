#include "indexer/use.h"

#include <algorithm>
#include <climits>
#include <cstddef>

#include "indexer/words.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxArgumentBytes = 4096;

// Counts the parts between commas of a list that begins behind its bracket; angle brackets count as
// brackets only when `angles`. Nothing when the list does not end within reach.
struct List {
  int n_parts = 0;
  int n_optional = 0;    // with a default
  bool is_open = false;  // "...", "*args": any number more
  std::string_view first;
};
std::optional<List> read_list(std::string_view text, std::size_t begin, bool angles) {
  List list;
  int depth = 0;
  std::size_t part = begin;
  const std::size_t end = std::min(text.size(), begin + kMaxArgumentBytes);
  const auto close_part = [&](std::size_t at) {
    const std::string_view whole = text.substr(part, at - part);
    part = at + 1;
    const std::size_t first = skip_blanks(whole, 0);
    if (first == whole.size()) return;
    if (list.n_parts++ == 0) list.first = whole.substr(first);
    const std::string_view trimmed = whole.substr(first);
    if (trimmed.starts_with("...") || trimmed.starts_with('*') || trimmed.starts_with("vararg ") ||
        trimmed.find("...") != std::string_view::npos) {
      list.is_open = true;
    } else if (trimmed.find('=') != std::string_view::npos ||
               trimmed.find("?:") != std::string_view::npos) {
      ++list.n_optional;
    }
  };
  for (std::size_t at = begin; at < end; ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'' || c == '`') {  // a string, on this line
      // A quote within a word is a digit separator or a lifetime.
      if (c == '\'' && at > begin && is_identifier_byte(text[at - 1])) continue;
      const std::size_t from = at;
      for (++at; at < end && text[at] != c && text[at] != '\n'; ++at)
        at += text[at] == '\\' ? 1 : 0;
      if (at < end && text[at] == '\n') at = from;  // not closed: no string
      continue;
    }
    if (c == '(' || c == '[' || c == '{' || (angles && c == '<')) {
      ++depth;
    } else if (c == ')' && depth == 0) {
      close_part(at);
      return list;
    } else if (c == ')' || c == ']' || c == '}' ||
               (angles && c == '>' && text[at - 1] != '-' && text[at - 1] != '=')) {
      if (--depth < 0) return std::nullopt;
    } else if (c == ',' && depth == 0) {
      close_part(at);
    }
  }
  return std::nullopt;
}

}  // namespace

Family family_of(std::string_view language) {
  struct Row {
    std::string_view language;
    Family family;
  };
  static constexpr Row kRows[] = {{"c", Family::kC},
                                  {"cpp", Family::kC},
                                  {"python", Family::kPython},
                                  {"go", Family::kGo},
                                  {"rust", Family::kRust},
                                  {"javascript", Family::kJavaScript},
                                  {"java", Family::kJvm},
                                  {"kotlin", Family::kJvm},
                                  {"typescript", Family::kJavaScript},
                                  {"ruby", Family::kRuby},
                                  {"php", Family::kPhp},
                                  {"tsx", Family::kJavaScript},
                                  {"lua", Family::kLua},
                                  {"bash", Family::kShell},
                                  {"csharp", Family::kCSharp},
                                  {"swift", Family::kSwift}};
  const auto row = std::ranges::find(kRows, language, &Row::language);
  return row == std::end(kRows) ? Family::kOther : row->family;
}

std::optional<Use> use_at(std::string_view text, std::uint32_t offset) {
  if (offset > text.size()) return std::nullopt;
  std::size_t begin = offset;
  std::size_t end = offset;
  while (begin > 0 && is_identifier_byte(text[begin - 1]) && offset - begin <= kMaxNameBytes)
    --begin;
  while (end < text.size() && is_identifier_byte(text[end]) && end - offset <= kMaxNameBytes)
    ++end;
  if (begin == end || end - begin > kMaxNameBytes || is_digit(text[begin])) return std::nullopt;

  Use use;
  use.name = text.substr(begin, end - begin);
  use.range = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  std::size_t before = back_over_blanks(text, begin);
  const auto ends_with = [&](std::string_view word) {
    return text.substr(0, before).ends_with(word);
  };
  std::size_t n_access = 0;
  if (ends_with("::")) {
    use.access = Access::kScope;
    n_access = 2;
  } else if (ends_with("->") || ends_with("?.")) {
    use.access = Access::kMember;
    n_access = 2;
  } else if (ends_with(".") && !ends_with("..")) {
    use.access = Access::kMember;
    n_access = 1;
  }
  if (n_access > 0) {
    before = back_over_blanks(text, before - n_access);
    // A<T>::name: the word is before the angle bracket.
    if (use.access == Access::kScope && before > 0 && text[before - 1] == '>') {
      const std::size_t open = text.rfind('<', before);
      if (open != std::string_view::npos && before - open < 256) before = open;
    }
    use.qualifier = word_before(text, before);
  }

  std::size_t after = skip_blanks(text, end);
  if (after < text.size() && text[after] == '!') after = skip_blanks(text, after + 1);  // name!(…)
  if (after < text.size() && text[after] == '(') {
    use.is_called = true;
    if (const auto list = read_list(text, after + 1, false)) {
      if (!list->is_open) use.n_arguments = list->n_parts;
    }
  }
  return use;
}

std::optional<ParameterCount> count_parameters(std::string_view signature,
                                               std::string_view name,
                                               Family family) {
  for (std::size_t at = signature.find(name); at != std::string_view::npos;
       at = signature.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if (at > 0 && is_identifier_byte(signature[at - 1])) continue;
    if (end < signature.size() && is_identifier_byte(signature[end])) continue;
    std::size_t open = skip_blanks(signature, end);
    // name<T>(…), name[T any](…)
    if (open < signature.size() && (signature[open] == '<' || signature[open] == '[')) {
      open = signature.find('(', open);
    }
    if (open >= signature.size() || signature[open] != '(') continue;
    const auto list = read_list(signature, open + 1, true);
    if (!list) return std::nullopt;
    int n = list->n_parts;
    if (n == 1 && list->first.substr(0, list->first.find_first_of(" )")) == "void") n = 0;
    const std::string_view first =
        word_at(list->first, std::min(list->first.find_first_not_of("&* "), list->first.size()));
    const bool has_self = (family == Family::kPython && (first == "self" || first == "cls")) ||
                          (family == Family::kRust && (first == "self" || first == "mut"));
    if (has_self && n > 0) --n;
    const int least = std::max(0, n - list->n_optional - (list->is_open ? 1 : 0));
    return ParameterCount{least, list->is_open ? INT_MAX : n};
  }
  return std::nullopt;
}

}  // namespace kinglet::indexer
