#include "indexer/lexical.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "indexer/commands.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

// Lexical finds yield to those of the syntax tree, whose ranks are pattern numbers.
constexpr std::uint32_t kLexicalRank = 1U << 30;
// A body's closing brace is looked for this far; all searches of one call together get a multiple
// of the text's size, so that nested unclosed braces stay linear.
constexpr std::size_t kMaxBodyBytes = 64 << 10;
constexpr std::size_t kSearchFactor = 8;
// Between a definition's first word and its brace.
constexpr std::size_t kMaxHeadBytes = 1000;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at]))
    ++at;
  return at;
}

std::size_t line_end(std::string_view text, std::size_t at) {
  return std::min(text.find('\n', at), text.size());
}

std::size_t skip_white(std::string_view text, std::size_t at) {
  while (at < text.size() && (is_blank(text[at]) || text[at] == '\n'))
    ++at;
  return at;
}

std::size_t skip_white_and_comments(std::string_view text, std::size_t at) {
  for (;;) {
    at = skip_white(text, at);
    const std::string_view mark = text.substr(std::min(at, text.size()), 2);
    if (mark == "//") {
      at = line_end(text, at);
    } else if (mark == "/*") {
      const std::size_t close = text.find("*/", at + 2);
      at = close == std::string_view::npos ? text.size() : close + 2;
    } else {
      return at;
    }
  }
}

std::string_view word_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_identifier_byte(text[end]))
    ++end;
  if (end == at || is_digit(text[at])) return {};
  return text.substr(at, end - at);
}

// A macro by its spelling: EXPORT_API, Q_OBJECT.
bool is_macro_name(std::string_view word) {
  if (word.size() < 3) return false;
  bool has_letter = false;
  for (const char c : word) {
    if (c >= 'A' && c <= 'Z') {
      has_letter = true;
    } else if (c != '_' && !is_digit(c)) {
      return false;
    }
  }
  return has_letter;
}

bool is_one_of(std::string_view word, const auto& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

constexpr std::array<std::string_view, 4> kQualifiers = {"const", "override", "noexcept", "final"};
constexpr std::array<std::string_view, 4> kTypeKeywords = {"class", "struct", "union", "enum"};
// Words that begin statements, so that what follows is no definition.
constexpr std::array<std::string_view, 20> kStatements = {
    "if",  "else", "for",   "while", "do",       "switch", "case",   "return", "throw",  "delete",
    "new", "goto", "break", "catch", "continue", "try",    "sizeof", "using",  "assert", "defined"};

// The end of a balanced bracket that opens at `at`, past its closing one; npos when it is further
// than `limit`. Strings, character literals and comments are skipped.
std::size_t closing(std::string_view text, std::size_t at, std::size_t limit) {
  const std::size_t end = std::min(text.size(), at + limit);
  std::size_t depth = 0;
  for (; at < end; ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      // A digit separator, 1'000, opens nothing.
      if (c == '\'' && at > 0 && is_digit(text[at - 1])) continue;
      for (++at; at < end && text[at] != c && text[at] != '\n'; ++at) {
        if (text[at] == '\\') ++at;
      }
    } else if (c == '/' && at + 1 < end && text[at + 1] == '/') {
      at = std::min(line_end(text, at), end) - 1;
    } else if (c == '/' && at + 1 < end && text[at + 1] == '*') {
      const std::size_t close = text.substr(0, end).find("*/", at + 2);
      if (close == std::string_view::npos) return close;
      at = close + 1;
    } else if (c == '(' || c == '{' || c == '[') {
      ++depth;
    } else if (c == ')' || c == '}' || c == ']') {
      if (depth <= 1) return at + 1;
      --depth;
    }
  }
  return std::string_view::npos;
}

class BraceScanner {
 public:
  BraceScanner(const Language& language,
               std::string_view text,
               ByteRange where,
               std::vector<Candidate>& candidates)
      : language_(language),
        text_(text),
        end_(where.end),
        begin_(where.begin),
        n_search_left_(where.size() * kSearchFactor),
        candidates_(candidates) {}

  void run() {
    for (std::size_t line = begin_; line < end_;) {
      const std::size_t next = line_end(text_, line) + 1;
      // Past a function's body, or 0.
      const std::size_t after = definition_at(skip_blanks(text_, line));
      line = after == 0 ? next : skip_white(text_, after);
    }
  }

 private:
  // Reads one definition that begins at `at`, the first word of a line. Returns where to go on, 0
  // for the next line: inside types and namespaces there may be more.
  std::size_t definition_at(std::size_t at) {
    if (at >= end_) return 0;
    if (text_[at] == '#') return macro_at(at), 0;
    const std::size_t begin = at;
    std::string_view previous;  // the word before the one at `at`
    std::size_t n_words = 0;
    // Specifiers, a type, and a name: words, "::", "*", "&", template arguments.
    for (std::size_t limit = std::min(end_, at + 400); at < limit;) {
      const char c = text_[at];
      if (const std::string_view word = word_at(text_, at); !word.empty()) {
        if (is_one_of(word, kStatements)) return 0;
        if (is_one_of(word, kTypeKeywords) || word == "namespace") return type_at(begin, at);
        previous = word;
        ++n_words;
        at += word.size();
      } else if (c == '(') {
        return n_words >= 2 ? function_at(begin, at) : 0;
      } else if (c == '<') {
        const std::size_t close = find_near(">", at);
        if (close >= limit) return 0;
        at = close + 1;
      } else if (is_blank(c) || c == '*' || c == '&' || c == ':' || c == '~' || c == '\n') {
        ++at;
      } else {
        return 0;
      }
    }
    return 0;
  }

  // #define NAME
  void macro_at(std::size_t at) {
    const std::size_t begin = at;
    at = skip_blanks(text_, at + 1);
    if (word_at(text_, at) != "define") return;
    at = skip_blanks(text_, at + 6);
    const std::string_view name = word_at(text_, at);
    if (name.empty()) return;
    std::size_t signature_end = at + name.size();
    if (signature_end < text_.size() && text_[signature_end] == '(') {
      signature_end = std::min({line_end(text_, at), find_near(")", at), text_.size() - 1}) + 1;
    }
    add(SymbolKind::kMacro,
        begin,
        at,
        name.size(),
        std::max(line_end(text_, at), signature_end),
        {signature_end, line_end(text_, at)});
  }

  // class [MACRO] Name … {
  std::size_t type_at(std::size_t begin, std::size_t at) {
    SymbolKind kind = SymbolKind::kNamespace;
    std::string_view word = word_at(text_, at);
    if (word == "class") kind = SymbolKind::kClass;
    if (word == "struct") kind = SymbolKind::kStruct;
    if (word == "union") kind = SymbolKind::kUnion;
    if (word == "enum") kind = SymbolKind::kEnum;
    std::size_t name_at = 0;
    std::size_t name_size = 0;
    const std::string_view head = text_.substr(0, std::min(text_.size(), begin + kMaxHeadBytes));
    for (at += word.size();;) {
      at = skip_white_and_comments(head, at);
      word = word_at(head, at);
      if (word.empty()) break;
      if (word != "final" && !is_one_of(word, kTypeKeywords)) {
        name_at = at;
        name_size = word.size();
      }
      at += word.size();
    }
    if (name_size == 0 || at >= end_ || at >= head.size()) return 0;
    if (text_[at] == ':') at = find_near("{;", at);
    if (at >= text_.size() || text_[at] != '{' || at - begin > kMaxHeadBytes) return 0;
    const std::size_t close = search(at);
    add(kind, begin, name_at, name_size, close, {at, close});
    return 0;
  }

  // Name(…) … {
  std::size_t function_at(std::size_t begin, std::size_t parenthesis) {
    std::size_t name_end = parenthesis;
    while (name_end > begin && is_blank(text_[name_end - 1]))
      --name_end;
    std::size_t name_at = name_end;
    while (name_at > begin &&
           (is_identifier_byte(text_[name_at - 1]) || text_[name_at - 1] == '~')) {
      --name_at;
    }
    // Its qualifier belongs to the name.
    std::size_t declared_at = name_at;
    while (declared_at > begin &&
           (is_identifier_byte(text_[declared_at - 1]) || text_[declared_at - 1] == ':')) {
      --declared_at;
    }
    if (name_at == name_end || is_digit(text_[name_at])) return 0;
    std::size_t at = closing(text_, parenthesis, 4000);
    if (at == std::string_view::npos) return 0;
    // const, noexcept, override, -> type, : initializers
    const std::size_t open = find_near("{;=", at);
    if (open >= text_.size() || text_[open] != '{') return 0;
    const std::string_view between = text_.substr(at, open - at);
    if (between.find('(') != std::string_view::npos &&
        between.find(':') == std::string_view::npos) {
      return 0;
    }
    const std::size_t close = search(open);
    add(SymbolKind::kFunction, begin, declared_at, name_end - declared_at, close, {open, close});
    return close > open + 1 ? close : 0;
  }

  // The next of these signs, or the text's size when it is not near.
  std::size_t find_near(std::string_view signs, std::size_t at) const {
    const std::size_t found = text_.substr(at, kMaxHeadBytes).find_first_of(signs);
    return found == std::string_view::npos ? text_.size() : at + found;
  }

  // The end of the braces at `open`, or of its line.
  std::size_t search(std::size_t open) {
    const std::size_t limit = std::min(kMaxBodyBytes, n_search_left_);
    const std::size_t close = closing(text_, open, limit);
    n_search_left_ -=
        std::min(limit, (close == std::string_view::npos ? open + limit : close) - open);
    return close == std::string_view::npos ? line_end(text_, open) : close;
  }

  struct Span {
    std::size_t begin, end;
  };
  void add(SymbolKind kind,
           std::size_t begin,
           std::size_t name_at,
           std::size_t name_size,
           std::size_t end,
           Span body) {
    const auto range = [](std::size_t from, std::size_t to) {
      return ByteRange{static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to)};
    };
    Candidate candidate;
    candidate.definition.kind = kind;
    candidate.definition.evidence = Evidence::kLexical;
    candidate.definition.has_body = true;
    candidate.definition.range = range(begin, std::min(end, text_.size()));
    candidate.signature = candidate.definition.range;
    candidate.body = range(std::min(body.begin, body.end), std::min(body.end, text_.size()));
    candidate.rank = kLexicalRank;
    if (set_name(
            candidate, text_, range(name_at, name_at + name_size), language_.scope_separator)) {
      candidates_.push_back(std::move(candidate));
    }
  }

  const Language& language_;
  const std::string_view text_;
  const std::size_t end_;
  const std::size_t begin_;
  std::size_t n_search_left_;
  std::vector<Candidate>& candidates_;
};

// def name(…): and class Name: by their first words; a body ends where the indentation does.
void find_indented(const Language& language,
                   std::string_view text,
                   ByteRange where,
                   std::vector<Candidate>& candidates) {
  const auto indentation = [&](std::size_t line) { return skip_blanks(text, line) - line; };
  std::size_t n_lines_left = 0;
  for (std::size_t line = where.begin; line < where.end; ++n_lines_left) {
    line = line_end(text, line) + 1;
  }
  n_lines_left *= kSearchFactor;

  for (std::size_t line = where.begin; line < where.end; line = line_end(text, line) + 1) {
    std::size_t at = skip_blanks(text, line);
    const std::size_t begin = at;
    if (word_at(text, at) == "async") at = skip_blanks(text, at + 5);
    const std::string_view keyword = word_at(text, at);
    if (keyword != "def" && keyword != "class") continue;
    at = skip_blanks(text, at + keyword.size());
    const std::string_view name = word_at(text, at);
    if (name.empty()) continue;
    const std::size_t head_end = line_end(text, at);
    std::size_t end = head_end;
    while (end < text.size() && n_lines_left > 0) {
      --n_lines_left;
      const std::size_t next = end + 1;
      const std::size_t next_end = line_end(text, next);
      const bool is_empty = skip_blanks(text, next) >= next_end;
      if (!is_empty && indentation(next) <= begin - line) break;
      end = next_end;
    }
    Candidate candidate;
    candidate.definition.kind = keyword == "def" ? SymbolKind::kFunction : SymbolKind::kClass;
    candidate.definition.evidence = Evidence::kLexical;
    candidate.definition.has_body = true;
    candidate.definition.range = {static_cast<std::uint32_t>(begin),
                                  static_cast<std::uint32_t>(std::min(end, text.size()))};
    candidate.signature = candidate.definition.range;
    candidate.body = {static_cast<std::uint32_t>(head_end), candidate.definition.range.end};
    candidate.rank = kLexicalRank;
    const auto name_at = static_cast<std::uint32_t>(at);
    if (set_name(candidate,
                 text,
                 {name_at, name_at + static_cast<std::uint32_t>(name.size())},
                 language.scope_separator)) {
      candidates.push_back(std::move(candidate));
    }
  }
}

// Goes through a text by lines and blanks macros by their surroundings.
class MacroBlanker {
 public:
  explicit MacroBlanker(std::string_view text) : text_(text) {}

  std::optional<std::string> run() {
    for (std::size_t line = 0; line < text_.size();) {
      const std::size_t end = line_end(text_, line);
      const std::size_t first = skip_blanks(text_, line);
      if (text_.substr(first, 2) == "/*") {
        line = past_comment(first);
        continue;
      }
      const bool is_code = first < end && text_[first] != '#' && text_.substr(first, 2) != "//";
      line = end + 1;
      if (is_code && !blank_line(first, end)) {
        blank_in_line(first, end);
        line = note_last(first, end);
      }
    }
    return std::move(blanked_);
  }

 private:
  // A macro alone on its line where a declaration may begin: Q_OBJECT, FOO_NAMESPACE_END.
  bool blank_line(std::size_t first, std::size_t end) {
    const std::string_view word = word_at(text_, first);
    if (!is_macro_name(word) || word.find('_') == std::string_view::npos) return false;
    if (skip_blanks(text_, first + word.size()) != end) return false;
    const std::size_t next = skip_white(text_, end);
    const char after = next < text_.size() ? text_[next] : ';';
    const bool begins_declaration =
        last_ == ';' || last_ == '}' || last_ == ':' ||
        (last_ == '{' && after != '}' && after != ',');  // an enumerator could stand there
    if (!begins_declaration || after == '{' || after == '(') return false;
    // EFI_STATUS, and the function's name on a line of its own.
    if (const std::string_view name = word_at(text_, next); !name.empty() && !is_macro_name(name)) {
      const std::size_t past = skip_blanks(text_, next + name.size());
      if (past < text_.size() &&
          std::string_view("(=;[").find(text_[past]) != std::string_view::npos)
        return false;
    }
    blank(first, first + word.size());
    return true;
  }

  void blank_in_line(std::size_t first, std::size_t end) {
    std::string_view previous;  // word
    char sign = last_;          // before the word at hand
    char last_sign = last_;     // that is no word
    std::size_t sign_at = first;
    for (std::size_t at = first; at < end;) {
      const std::string_view word = word_at(text_, at);
      if (word.empty()) {
        if (!is_blank(text_[at])) {
          sign = last_sign = text_[at];
          sign_at = at;
          previous = {};
        }
        // Numbers with letters in them are no words.
        do
          ++at;
        while (at < end && is_identifier_byte(text_[at]) && is_identifier_byte(text_[at - 1]));
        continue;
      }
      const std::size_t past = is_macro_name(word) ? past_macro(at, at + word.size(), end) : 0;
      const bool is_decoration =
          past != 0 && (decorates(word, previous, at == first, past, end) ||
                        (last_sign == ')' && ends_head(word, previous, sign, past, end) &&
                         closes_parameters(sign_at, first)));
      if (is_decoration) {
        blank(at, past);
        at = past;
      } else {
        previous = word;
        sign = 'a';
        at += word.size();
      }
    }
  }

  // Past the macro's arguments.
  std::size_t past_macro(std::size_t begin, std::size_t past, std::size_t end) const {
    if (past >= end || text_[past] != '(') return past;
    const std::size_t close = closing(text_, past, std::min<std::size_t>(end - begin, 200));
    return close == std::string_view::npos ? 0 : close;
  }

  bool decorates(std::string_view word,
                 std::string_view previous,
                 bool is_first,
                 std::size_t past,
                 std::size_t end) const {
    std::size_t next = skip_blanks(text_, past);
    std::string_view following = next < end ? word_at(text_, next) : std::string_view();
    // class MACRO Name {
    if (is_one_of(previous, kTypeKeywords)) {
      if (following.empty() || following == "final") return false;
      const std::size_t behind = skip_white(text_, next + following.size());
      const char sign = behind < text_.size() ? text_[behind] : ';';
      // `struct MACRO Name;` may well be a variable.
      return sign == '{' || sign == ':' || sign == '<' || (sign == ';' && previous == "class") ||
             word_at(text_, behind) == "final";
    }
    if (word.find('_') == std::string_view::npos) return false;
    // MACRO type name, MACRO type (*name)(
    if (!is_first || text_[past - 1] == ')') return false;
    while (following == "const" || following == "volatile") {
      next = skip_blanks(text_, next + following.size());
      following = next < end ? word_at(text_, next) : std::string_view();
    }
    if (following.empty()) return false;
    std::size_t second = skip_blanks(text_, next + following.size());
    while (second < end && (text_[second] == '*' || text_[second] == '&'))
      second = skip_blanks(text_, second + 1);
    return second < end && (!word_at(text_, second).empty() || is_name_in_brackets(second, end));
  }

  // f() const MACRO;
  bool ends_head(std::string_view word,
                 std::string_view previous,
                 char sign,
                 std::size_t past,
                 std::size_t end) const {
    if (word.find('_') == std::string_view::npos) return false;
    const std::size_t next = skip_blanks(text_, past);
    if (next >= end || (text_[next] != ';' && text_[next] != '{')) return false;
    return sign == ')' || is_one_of(previous, kQualifiers);
  }

  // Whether `)` ends a function's parameters, as far as its line tells: not a cast, not a
  // condition.
  bool closes_parameters(std::size_t close, std::size_t first) const {
    // A line may be megabytes of unbalanced brackets.
    constexpr std::size_t kMaxParameters = 500;  // bytes
    first = std::max(first, close - std::min(close, kMaxParameters));
    int depth = 0;
    for (std::size_t at = close + 1; at-- > first;) {
      if (text_[at] == ')') ++depth;
      if (text_[at] != '(' || --depth > 0) continue;
      while (at > first && is_blank(text_[at - 1]))
        --at;
      if (at == first) return true;
      if (text_[at - 1] == ')') return true;  // operator()()
      std::size_t begin = at;
      while (begin > first && is_identifier_byte(text_[begin - 1]))
        --begin;
      const std::string_view name = text_.substr(begin, at - begin);
      return !name.empty() && !is_one_of(name, kStatements);
    }
    return true;
  }

  // `(*name)(` or `(name)(`
  bool is_name_in_brackets(std::size_t at, std::size_t end) const {
    if (text_[at] != '(') return false;
    at = skip_blanks(text_, at + 1);
    while (at < end && text_[at] == '*')
      at = skip_blanks(text_, at + 1);
    at += word_at(text_, at).size();
    if (at >= end || text_[at] != ')') return false;
    at = skip_blanks(text_, at + 1);
    return at < end && text_[at] == '(';
  }

  std::size_t past_comment(std::size_t begin) const {
    const std::size_t close = text_.find("*/", begin + 2);
    return close == std::string_view::npos ? text_.size() : close + 2;
  }

  // The last sign of code, for the next lines. Where those begin: past a comment that goes on.
  std::size_t note_last(std::size_t at, std::size_t end) {
    for (; at < end; ++at) {
      const std::string_view two = text_.substr(at, 2);
      if (two == "//") break;
      if (two == "/*") {
        at = past_comment(at);
        if (at > end) return at;
        --at;
      } else if (!is_blank(text_[at])) {
        last_ = text_[at];
        // What a string holds is no code.
        if (last_ == '"') at = std::min(closing_quote(at), end);
      }
    }
    return end + 1;
  }

  std::size_t closing_quote(std::size_t open) const {
    std::size_t at = open + 1;
    while (at < text_.size() && text_[at] != '"' && text_[at] != '\n')
      at += text_[at] == '\\' ? 2 : 1;
    return at;
  }

  void blank(std::size_t begin, std::size_t end) {
    if (!blanked_) blanked_ = std::string(text_);
    const auto from = blanked_->begin();
    std::fill(
        from + static_cast<std::ptrdiff_t>(begin), from + static_cast<std::ptrdiff_t>(end), ' ');
  }

  const std::string_view text_;
  std::optional<std::string> blanked_;
  char last_ = ';';
};

}  // namespace

std::optional<std::string> blank_macros(std::string_view text) {
  return MacroBlanker(text).run();
}

void find_lexical_definitions(const Language& language,
                              std::string_view text,
                              ByteRange where,
                              std::vector<Candidate>& candidates) {
  switch (language.lexical) {
    case LexicalForm::kNone:
      return;
    case LexicalForm::kBraces:
      BraceScanner(language, text, where, candidates).run();
      return;
    case LexicalForm::kIndented:
      find_indented(language, text, where, candidates);
      return;
    case LexicalForm::kCommands:
      find_commands(language, text, where, candidates);
      return;
  }
}

}  // namespace kinglet::indexer
