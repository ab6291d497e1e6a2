#include "indexer/code_scan.h"

#include <algorithm>
#include <string>

#include "indexer/identifiers.h"
#include "indexer/words.h"

namespace kinglet::indexer {
namespace {

struct Marks {
  std::string_view line;        // begins a comment that ends with the line
  std::string_view other_line;  // another such
  std::string_view open, close;
  std::string_view quotes;       // of strings that end with their line at the latest
  std::string_view long_quotes;  // of others
  bool has_triples = false;      // """ and '''
};

constexpr Marks kBraces{"//", "", "/*", "*/", "\"'", "", false};

const Marks& marks_of(Family family) {
  static constexpr Marks kPython{"#", "", "", "", "\"'", "", true};
  static constexpr Marks kTemplates{"//", "", "/*", "*/", "\"'", "`", false};
  static constexpr Marks kRust{"//", "", "/*", "*/", "", "\"", false};
  static constexpr Marks kJvm{"//", "", "/*", "*/", "\"'", "", true};
  static constexpr Marks kPhp{"//", "#", "/*", "*/", "", "\"'", false};
  static constexpr Marks kRuby{"#", "", "\n=begin", "\n=end", "\"'", "", false};
  static constexpr Marks kLua{"--", "", "--[[", "]]", "\"'", "", false};
  static constexpr Marks kShell{"#", "", "", "", "", "\"'", false};
  switch (family) {
    case Family::kPython:
      return kPython;
    case Family::kJavaScript:
    case Family::kGo:
      return kTemplates;
    case Family::kRust:
      return kRust;
    case Family::kJvm:
    case Family::kSwift:
      return kJvm;
    case Family::kPhp:
      return kPhp;
    case Family::kRuby:
      return kRuby;
    case Family::kLua:
      return kLua;
    case Family::kShell:
      return kShell;
    default:
      return kBraces;
  }
}

class Scan {
 public:
  Scan(std::string_view text, Family family)
      : text_(text), family_(family), marks_(marks_of(family)) {}

  /// One past the comment or string that begins at `at`; `at` when none does.
  std::size_t past(std::size_t at) const {
    if (starts(at, marks_.open)) return past_next(marks_.close, at + marks_.open.size());
    if (starts(at, marks_.line) || starts(at, marks_.other_line)) {
      // "$#" and "a#b" of a shell are no comments.
      const bool is_word = at > 0 && !is_blank(text_[at - 1]) && family_ == Family::kShell;
      return is_word ? at : std::min(text_.find('\n', at), text_.size());
    }
    if (family_ == Family::kRust && starts(at, "'\"'")) return at + 3;
    const char c = text_[at];
    if (family_ == Family::kC && c == '"' && at > 0 && text_[at - 1] == 'R') return past_raw(at);
    const std::string_view triple = text_.substr(at, 3);
    if (marks_.has_triples && (triple == R"(""")" || triple == "'''")) {
      return past_next(triple, at + 3);
    }
    if (marks_.quotes.find(c) != std::string_view::npos) return past_quote(at, true);
    if (marks_.long_quotes.find(c) != std::string_view::npos) return past_quote(at, false);
    return at;
  }

 private:
  bool starts(std::size_t at, std::string_view mark) const {
    return !mark.empty() && text_.substr(at, mark.size()) == mark;
  }
  std::size_t past_next(std::string_view mark, std::size_t from) const {
    const std::size_t found = text_.find(mark, from);
    return found == std::string_view::npos ? text_.size() : found + mark.size();
  }
  std::size_t past_quote(std::size_t at, bool ends_with_line) const {
    const char quote = text_[at];
    // 1'000'000
    if (quote == '\'' && at > 0 && is_identifier_byte(text_[at - 1]) && family_ == Family::kC) {
      return at;
    }
    for (std::size_t i = at + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        return i + 1;
      } else if (text_[i] == '\n' && ends_with_line) {
        return i;
      }
    }
    return text_.size();
  }
  // R"mark(…)mark"
  std::size_t past_raw(std::size_t at) const {
    const std::size_t open = text_.find('(', at);
    if (open == std::string_view::npos || open - at > 17) return past_quote(at, true);
    std::string close = ")";
    close.append(text_.substr(at + 1, open - at - 1)).append("\"");
    return past_next(close, open);
  }

  std::string_view text_;
  Family family_;
  const Marks& marks_;
};

}  // namespace

bool is_code(std::string_view text, std::size_t begin, std::size_t at, Family family) {
  const Scan scan(text, family);
  while (begin < at) {
    const std::size_t past = scan.past(begin);
    begin = past == begin ? begin + 1 : past;
  }
  return begin == at;
}

}  // namespace kinglet::indexer
