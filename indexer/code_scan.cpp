#include "indexer/code_scan.h"

#include <algorithm>

#include "indexer/words.h"

namespace kinglet::indexer {
namespace {

// However far a text goes on, a look costs no more.
constexpr std::size_t kMaxCommentBytes = 16 << 10;
constexpr std::size_t kMaxDocstringBytes = 64 << 10;
constexpr std::size_t kMaxLineBytes = 4096;

struct Marks {
  std::string_view line;         // begins a comment that ends with the line
  std::string_view other_line;   // another such
  std::string_view open, close;  // of longer comments
  bool has_characters = false;   // 'x' is one character, not a string
};

const Marks& marks_of(Family family) {
  static constexpr Marks kCharacters{"//", "", "/*", "*/", true};
  static constexpr Marks kScript{"//", "", "/*", "*/", false};
  static constexpr Marks kPhp{"//", "#", "/*", "*/", false};
  static constexpr Marks kHash{"#", "", "", "", false};
  static constexpr Marks kLua{"--", "", "--[[", "]]", false};
  switch (family) {
    case Family::kPython:
    case Family::kRuby:
    case Family::kShell:
      return kHash;
    case Family::kJavaScript:
      return kScript;
    case Family::kPhp:
      return kPhp;
    case Family::kLua:
      return kLua;
    default:
      return kCharacters;
  }
}

class Looker {
 public:
  Looker(std::string_view text, Family family)
      : text_(text), family_(family), marks_(marks_of(family)) {}

  /// Whether neither a comment nor a string of its own line holds the byte.
  bool is_code_of_line(std::size_t at) const {
    const std::size_t least = at > kMaxLineBytes ? at - kMaxLineBytes : 0;
    const std::size_t line = text_.substr(least, at - least).rfind('\n');
    for (std::size_t i = line == std::string_view::npos ? least : least + line + 1; i < at;) {
      if (begins_line_comment(i)) return false;
      const std::size_t past = past_string(i);
      if (past > at) return false;
      i = std::max(past, i + 1);
    }
    return true;
  }

  bool is_in_long_comment(std::size_t at) const {
    if (marks_.open.empty()) return false;
    const std::size_t least = at > kMaxCommentBytes ? at - kMaxCommentBytes : 0;
    const std::size_t open = text_.substr(least, at - least).rfind(marks_.open);
    if (open == std::string_view::npos) return false;
    const std::size_t inner = least + open + marks_.open.size();
    return inner <= at &&
           text_.substr(inner, at - inner).find(marks_.close) == std::string_view::npos &&
           is_code_of_line(least + open);
  }

  /// Python's """ and ''', counted from `begin` on.
  bool is_in_docstring(std::size_t begin, std::size_t at) const {
    if (family_ != Family::kPython || begin > at || at - begin > kMaxDocstringBytes) return false;
    const std::string_view before = text_.substr(0, at);
    std::size_t i = begin;
    for (;;) {
      const std::size_t open = std::min(before.find(R"(""")", i), before.find("'''", i));
      if (open == std::string_view::npos) return false;
      const std::size_t close = before.find(text_.substr(open, 3), open + 3);
      if (close == std::string_view::npos) return true;
      i = close + 3;
    }
  }

 private:
  bool starts(std::size_t at, std::string_view mark) const {
    return !mark.empty() && text_.substr(at, mark.size()) == mark;
  }
  bool begins_line_comment(std::size_t at) const {
    if (!starts(at, marks_.line) && !starts(at, marks_.other_line)) return false;
    // "$#" and "a#b" of a shell are none.
    return family_ != Family::kShell || at == 0 || is_blank(text_[at - 1]);
  }
  /// One past the string or character that begins at `at` and ends on its line; `at` if none does.
  std::size_t past_string(std::size_t at) const {
    const char quote = text_[at];
    if (quote != '"' && quote != '\'') return at;
    const bool is_character = quote == '\'' && marks_.has_characters;
    for (std::size_t i = at + 1; i < text_.size() && text_[i] != '\n'; ++i) {
      // '\u{1F600}' is about the longest; 1'000 and a lifetime are no characters.
      if (is_character && i > at + 1 && text_[at + 1] != '\\' && text_[i] != quote) return at;
      if (is_character && i > at + 12) return at;
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        return i + 1;
      }
    }
    return at;
  }

  std::string_view text_;
  Family family_;
  const Marks& marks_;
};

}  // namespace

bool is_code(std::string_view text, std::size_t begin, std::size_t at, Family family) {
  const Looker looker(text, family);
  return looker.is_code_of_line(at) && !looker.is_in_long_comment(at) &&
         !looker.is_in_docstring(begin, at);
}

}  // namespace kinglet::indexer
