#include "indexer/locals.h"

#include <algorithm>
#include <cstddef>

#include "indexer/code_scan.h"
#include "indexer/words.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxSignatureBytes = 4096;
constexpr std::size_t kMaxLookBytes = 64 << 10;

// Words that stand before a name without being its type.
bool is_no_type(std::string_view word) {
  static constexpr std::string_view kWords[] = {
      "return",  "else",       "new",       "delete",   "goto",   "case",   "throw",   "sizeof",
      "in",      "co_await",   "co_return", "co_yield", "and",    "or",     "not",     "if",
      "while",   "do",         "switch",    "typedef",  "using",  "await",  "yield",   "import",
      "from",    "is",         "lambda",    "print",    "del",    "assert", "raise",   "elif",
      "defer",   "go",         "as",        "typeof",   "void0",  "of",     "extends", "instanceof",
      "break",   "continue",   "package",   "operator", "define", "undef",  "ifdef",   "ifndef",
      "defined", "implements", "until",     "unless",   "then",   "echo"};
  return word.empty() || is_digit(word.front()) || is_one_of(word, kWords);
}

// Whether the occurrence of a name in [begin, end) declares it; `signature_end` is where the
// function's body begins.
class Declares {
 public:
  Declares(std::string_view text, ByteRange scope, Family family)
      : text_(text), scope_(scope), family_(family) {
    signature_end_ = std::min<std::size_t>(body_begin(), scope.end);
  }

  bool operator()(std::size_t begin, std::size_t end) {
    before_ = back_over_blanks(text_, begin, scope_.begin);
    after_ = skip_blanks(text_, end);
    previous_ = word_before(text_, before_, scope_.begin);
    if (previous() == '.' || previous_is("->") || previous_is("::")) return false;
    const bool in_signature = begin < signature_end_;
    switch (family_) {
      case Family::kPython:
        if (in_signature) return previous() == '(' || previous() == ',' || previous() == '*';
        return is_assigned() || previous_ == "for" || previous_ == "as" ||
               (previous() == ',' && is_loop_target(begin));
      case Family::kGo:
        if (next_is(":=") || previous_ == "var" || previous_ == "const") return true;
        if (in_signature) return (previous() == '(' || previous() == ',') && has_type_behind();
        return (next() == ',' || previous() == ',') && line_has(end, ":=");
      case Family::kRust:
        if (previous_ == "let" || previous_ == "for") return true;
        if (previous_ == "mut" || previous_ == "ref") return true;
        if (previous() == '|') return true;
        return in_signature && next() == ':' && !next_is("::");
      case Family::kJavaScript:
      case Family::kSwift:
        if (is_one_of(previous_, {"let", "const", "var", "catch", "for"})) return true;
        if (in_signature) return (previous() == '(' || previous() == ',' || previous() == '{');
        return next_is("=>") || is_destructured(begin) || is_arrow_parameter(begin, end);
      case Family::kLua:
      case Family::kRuby:
      case Family::kShell:
        if (previous_ == "local" || previous() == '|') return true;
        if (family_ != Family::kLua && is_assigned()) return true;
        return in_signature && (previous() == '(' || previous() == ',');
      case Family::kPhp:
        return is_assigned() || (in_signature && previous() == '$');
      default:
        return is_typed(begin, in_signature);
    }
  }

 private:
  char previous() const { return before_ > scope_.begin ? text_[before_ - 1] : '\0'; }
  char next() const { return after_ < text_.size() ? text_[after_] : '\0'; }
  bool previous_is(std::string_view word) const { return text_.substr(0, before_).ends_with(word); }
  bool next_is(std::string_view word) const { return text_.substr(after_).starts_with(word); }
  bool is_assigned() const {
    if (next() != '=' || next_is("==") || next_is("=>")) return false;
    // `f(name=value)` is an argument's name.
    return previous() != '(' && previous() != ',';
  }
  bool line_has(std::size_t from, std::string_view word) const {
    const std::string_view rest = text_.substr(from, 256);
    return rest.substr(0, rest.find('\n')).find(word) != std::string_view::npos;
  }
  std::string_view line_before(std::size_t at) const {
    const std::size_t from = std::max<std::size_t>(scope_.begin, at > 256 ? at - 256 : 0);
    const std::string_view part = text_.substr(from, at - from);
    const std::size_t line = part.rfind('\n');
    return line == std::string_view::npos ? part : part.substr(line + 1);
  }
  bool is_loop_target(std::size_t begin) const {
    const std::string_view line = line_before(begin);
    const std::size_t loop = line.rfind("for ");
    return loop != std::string_view::npos && line.find(" in ", loop) == std::string_view::npos;
  }
  // Go's parameters, `name Type` and `name, other Type`; in a list of results types stand alone.
  bool has_type_behind() const {
    std::size_t at = after_;
    while (at < text_.size() && text_[at] == ',') {
      at = skip_blanks(text_, at + 1);
      at = skip_blanks(text_, at + word_at(text_, at).size());
    }
    const char c = at < text_.size() ? text_[at] : '\0';
    return is_identifier_byte(c) || is_one_of_chars(c, "*[.");
  }
  // `const { name, … } =`
  bool is_destructured(std::size_t begin) const {
    const std::string_view line = line_before(begin);
    const std::size_t open = line.find_last_of("{[");
    if (open == std::string_view::npos || line.find_first_of("=()", open) != std::string_view::npos)
      return false;
    const std::string_view word = word_before(line, back_over_blanks(line, open));
    return is_one_of(word, {"let", "const", "var"});
  }
  // `(a, name) =>`
  bool is_arrow_parameter(std::size_t begin, std::size_t end) const {
    if (previous() != '(' && previous() != ',') return false;
    const std::size_t close = text_.find_first_of(")(\n;{", end);
    (void)begin;
    return close != std::string_view::npos && text_[close] == ')' &&
           text_.substr(skip_blanks(text_, close + 1)).starts_with("=>");
  }

  // C and its kin: a type stands before the name. Two words side by side are a declaration in any
  // place; `type *name` is one only where no multiplication can stand.
  bool is_typed(std::size_t begin, bool in_signature) const {
    if (in_signature && next() == ':' && !next_is("::") && family_ == Family::kJvm) return true;
    if (!is_one_of_chars(next(), "=;,)[{:(") && !next_is("in ")) return false;
    if (next_is("==") || next_is("::") || (next() == '(' && in_signature)) return false;
    if (!previous_.empty()) return !is_no_type(previous_) && previous_ != "struct";
    std::size_t at = before_;
    bool is_pointer = false;
    while (at > scope_.begin && (text_[at - 1] == '*' || text_[at - 1] == '&')) {
      is_pointer = true;
      at = back_over_blanks(text_, at - 1, scope_.begin);
    }
    if (at > scope_.begin && text_[at - 1] == ',' && !in_signature) return is_further(begin);
    if (at > scope_.begin && text_[at - 1] == '>') {
      // `vector<T> name`; `a > name` and `a->name` do not end in a closed pair.
      const std::size_t open = text_.rfind('<', at);
      return open != std::string_view::npos && open > scope_.begin && at - open < 256 &&
             text_.substr(open, at - open).find_first_of(";={}|") == std::string_view::npos &&
             is_identifier_byte(text_[open - 1]);
    }
    if (!is_pointer) return false;
    const std::string_view type = word_before(text_, at, scope_.begin);
    if (is_no_type(type)) return false;
    if (in_signature) return true;
    std::size_t start =
        back_over_blanks(text_, static_cast<std::size_t>(type.data() - text_.data()), scope_.begin);
    while (start > scope_.begin + 2 && text_.substr(0, start).ends_with("::")) {
      const std::string_view outer = word_before(text_, start - 2, scope_.begin);
      start = back_over_blanks(
          text_, static_cast<std::size_t>(outer.data() - text_.data()), scope_.begin);
    }
    if (start == scope_.begin || is_one_of_chars(text_[start - 1], ";{}")) return true;
    const std::string_view qualifier = word_before(text_, start, scope_.begin);
    if (is_one_of(qualifier, {"const", "static", "struct", "unsigned", "register", "volatile"})) {
      return true;
    }
    if (text_[start - 1] != '(') return false;
    const std::string_view keyword =
        word_before(text_, back_over_blanks(text_, start - 1, scope_.begin), scope_.begin);
    return is_one_of(keyword, {"for", "if", "while", "catch", "switch", "foreach"});
  }

  // `int a, *name`: the statement begins with a type and a name, and is in no brackets.
  bool is_further(std::size_t begin) const {
    std::size_t start = begin;
    int depth = 0;
    const std::size_t least = std::max<std::size_t>(scope_.begin, begin > 512 ? begin - 512 : 0);
    for (; start > least; --start) {
      const char c = text_[start - 1];
      if (c == ')' || c == ']') ++depth;
      if (c == '(' || c == '[') --depth;
      if (depth < 0 || c == ';' || c == '{' || c == '}') break;
    }
    if (depth < 0) {
      const std::string_view keyword =
          word_before(text_, back_over_blanks(text_, start - 1, scope_.begin), scope_.begin);
      if (keyword != "for") return false;
    }
    std::size_t at = skip_blanks(text_, start);
    std::string_view word = word_at(text_, at);
    while (is_one_of(word, {"const", "static", "struct", "unsigned", "register", "volatile"})) {
      at = skip_blanks(text_, at + word.size());
      word = word_at(text_, at);
    }
    if (is_no_type(word)) return false;
    at = skip_blanks(text_, at + word.size());
    while (at < begin && (text_[at] == '*' || text_[at] == '&'))
      at = skip_blanks(text_, at + 1);
    const std::string_view name = word_at(text_, at);
    return !name.empty() && at < begin;
  }

  static bool is_one_of_chars(char c, std::string_view chars) {
    return c != '\0' && chars.find(c) != std::string_view::npos;
  }

  std::size_t body_begin() const {
    const std::string_view scope =
        text_.substr(scope_.begin, std::min<std::size_t>(scope_.size(), kMaxSignatureBytes));
    int depth = 0;
    bool had_list = false;
    for (std::size_t i = 0; i < scope.size(); ++i) {
      const char c = scope[i];
      if (c == '(') ++depth;
      if (c == ')') {
        --depth;
        had_list = true;
      }
      const bool ends_without_brace = family_ == Family::kPython ? c == ':'
                                      : family_ == Family::kRuby ? c == '\n'
                                      : family_ == Family::kLua  ? c == '\n'
                                                                 : false;
      if (depth == 0 && (c == '{' || (had_list && ends_without_brace) ||
                         (family_ == Family::kRuby && c == '\n'))) {
        return scope_.begin + i;
      }
    }
    return scope_.begin + scope.size();
  }

  std::string_view text_;
  ByteRange scope_;
  Family family_;
  std::size_t signature_end_ = 0;
  // Around the occurrence that is looked at.
  std::size_t before_ = 0, after_ = 0;
  std::string_view previous_;
};

}  // namespace

std::optional<ByteRange> find_local(std::string_view text,
                                    ByteRange scope,
                                    std::uint32_t offset,
                                    std::string_view name,
                                    Family family) {
  if (scope.end > text.size() || scope.begin >= scope.end || name.empty()) return std::nullopt;
  const std::size_t last = std::min<std::size_t>(offset + name.size(), scope.end);
  const std::size_t first = last - scope.begin > kMaxLookBytes ? last - kMaxLookBytes : scope.begin;
  Declares declares(text, scope, family);
  for (std::size_t at = text.find(name, first); at != std::string_view::npos && at < last;
       at = text.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if (at > 0 && is_identifier_byte(text[at - 1])) continue;
    if (end < text.size() && is_identifier_byte(text[end])) continue;
    if (declares(at, end) && is_code(text, scope.begin, at, family)) {
      return ByteRange{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)};
    }
  }
  return std::nullopt;
}

std::string_view type_of(std::string_view text,
                         std::uint32_t offset,
                         std::string_view object,
                         Family family) {
  if (object.empty() || offset > text.size()) return {};
  // The type that an occurrence of the object at `at` declares.
  const auto declared = [&](std::size_t at) -> std::string_view {
    const std::size_t end = at + object.size();
    if (at > 0 && is_identifier_byte(text[at - 1])) return {};
    if (end < text.size() && is_identifier_byte(text[end])) return {};
    std::size_t before = back_over_blanks(text, at);
    const std::size_t after = skip_blanks(text, end);
    while (before > 0 && (text[before - 1] == '*' || text[before - 1] == '&'))
      before = back_over_blanks(text, before - 1);
    if (before > 0 && text[before - 1] == '>' && !text.substr(0, before).ends_with("->")) {
      // unique_ptr<Foo>: what it points to.
      std::size_t inner = before - 1;
      while (inner > 0 &&
             (text[inner - 1] == '>' || text[inner - 1] == '*' || is_blank(text[inner - 1])))
        --inner;
      return word_before(text, inner);
    }
    if (const std::string_view word = word_before(text, before);
        !is_no_type(word) && word != "auto" && word != "var" && word != "let" && word != "const" &&
        word != "mut" && word != "val" && word != "final" && word != "def" && word != "func") {
      return word;
    }
    const auto last_word = [&](std::size_t from) -> std::string_view {
      from = std::min(text.find_first_not_of("&* \t", from), text.size());
      for (std::string_view word = word_at(text, from);; word = word_at(text, from)) {
        if (word == "new" || word == "mut" || word == "dyn" || word == "const") {
          from = skip_blanks(text, from + word.size());
          continue;
        }
        std::size_t next = from + word.size();
        if (word.empty()) return {};
        const bool is_path = text.substr(next).starts_with("::");
        if (is_path && is_identifier_byte(next + 2 < text.size() ? text[next + 2] : ' ')) {
          const std::string_view inner = word_at(text, next + 2);
          // Type::new(): the type comes before the function.
          if (next + 2 + inner.size() < text.size() && text[next + 2 + inner.size()] == '(' &&
              family != Family::kC) {
            return word;
          }
          from = next + 2;
          continue;
        }
        return word;
      }
    };
    if (after < text.size() && text[after] == ':' && !text.substr(after).starts_with("::") &&
        !text.substr(after).starts_with(":=") && family != Family::kC) {
      return last_word(after + 1);
    }
    const bool walrus = text.substr(after).starts_with(":=");
    if (walrus ||
        (after < text.size() && text[after] == '=' && !text.substr(after).starts_with("=="))) {
      const std::string_view word = last_word(after + (walrus ? 2 : 1));
      if (word.empty()) return {};
      const std::size_t next = static_cast<std::size_t>(word.data() - text.data()) + word.size();
      const bool is_made =
          next < text.size() && (text[next] == '(' || text[next] == '{' || text[next] == ':');
      return is_made ? word : std::string_view();
    }
    if (family == Family::kGo && after < text.size()) {
      const std::string_view word = last_word(after);
      return is_no_type(word) ? std::string_view() : word;
    }
    return {};
  };
  const std::size_t least = offset > kMaxLookBytes ? offset - kMaxLookBytes : 0;
  for (std::size_t at = offset; at > least;) {
    at = text.rfind(object, at - 1);
    if (at == std::string_view::npos || at < least) break;
    const std::string_view type = declared(at);
    if (!type.empty() && is_code(text, 0, at, family)) return type;
  }
  // Fields may be declared behind the methods that use them.
  const std::size_t most = std::min<std::size_t>(text.size(), offset + kMaxLookBytes);
  for (std::size_t at = text.find(object, offset); at < most; at = text.find(object, at + 1)) {
    const std::string_view type = declared(at);
    if (!type.empty() && is_code(text, 0, at, family)) return type;
  }
  return {};
}

}  // namespace kinglet::indexer
