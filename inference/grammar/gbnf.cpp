#include "inference/grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace kinglet::inference::grammar {
namespace {

constexpr std::uint32_t kMaxRepeat = 10'000;
constexpr std::size_t kMaxNameBytes = 100;  // names come back in messages

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Machine> parse() {
    skip_blank(Lines::kCross);
    while (!at_end())
      TRY(parse_rule());
    for (const auto& [name, rule] : rules_) {
      if (!rule.is_defined) {
        return fail(ErrorCode::kInvalidArgument,
                    "line " + std::to_string(rule.line) + ": there is no rule '" + name + "'");
      }
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) {
      return fail(ErrorCode::kInvalidArgument, "the grammar has no rule 'root'");
    }
    return std::move(builder_).finish(root->second.id);
  }

 private:
  enum class Lines { kStay, kCross };

  struct Rule {
    std::uint32_t id = 0;
    std::size_t line = 0;  // of its first mention
    bool is_defined = false;
  };

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  /// Counts on from where it counted last: each rule's name asks for its line.
  std::size_t line() {
    const std::size_t from = std::min(counted_to_, at_);
    line_ += static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(from),
                                                 text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 '\n'));
    counted_to_ = std::max(counted_to_, at_);
    return line_;
  }
  tl::unexpected<Error> bad(const std::string& what) {
    return fail(ErrorCode::kInvalidArgument, "line " + std::to_string(line()) + ": " + what);
  }

  tl::unexpected<Error> bad_name() {
    return bad("a rule's name of more than " + std::to_string(kMaxNameBytes) + " characters");
  }

  void skip_blank(Lines lines) {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n')
          ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && lines == Lines::kCross)) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view take_name() {
    const std::size_t begin = at_;
    while (!at_end() && is_name(peek()))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Rule& rule_named(std::string_view name) {
    const auto [entry, is_new] = rules_.try_emplace(std::string(name));
    if (is_new) {
      entry->second = {builder_.declare("rule '" + std::string(name) + "'"), line(), false};
    }
    return entry->second;
  }

  Result<void> parse_rule() {
    const std::string_view name = take_name();
    if (name.empty()) return bad("a rule's name is expected");
    if (name.size() > kMaxNameBytes) return bad_name();
    Rule& rule = rule_named(name);
    if (rule.is_defined) return bad("rule '" + std::string(name) + "' is there twice");
    rule.is_defined = true;
    skip_blank(Lines::kStay);
    if (!take("::=")) return bad("'::=' is expected after '" + std::string(name) + "'");
    Nfa nfa;
    Composer composer(nfa, kMaxStates);
    while (true) {
      skip_blank(composer.n_open() > 0 ? Lines::kCross : Lines::kStay);
      if (at_end()) break;
      if (peek() == '\n') {
        skip_blank(Lines::kCross);
        if (peek() != '|') break;
      }
      if (const auto parsed = parse_item(nfa, composer); !parsed) {
        const bool has_line = parsed.error().message.starts_with("line ");
        if (has_line) return tl::unexpected(parsed.error());
        return bad(parsed.error().message);
      }
    }
    if (composer.n_open() > 0) return bad("a '(' is not closed");
    const Fragment whole = composer.finish();
    return builder_.define(rule.id, nfa, whole);
  }

  Result<void> parse_item(Nfa& nfa, Composer& composer) {
    if (take("|")) {
      return composer.alternative();
    }
    if (take("(")) {
      return composer.open_group();
    }
    if (take(")")) {
      if (!composer.close_group()) return bad("')' without '('");
      return {};
    }
    const char c = peek();
    if (c == '*' || c == '+' || c == '?' || c == '{') return parse_repetition(composer);
    const Fragment item = composer.begin_item();
    if (take("\"")) {
      TRY(parse_string(nfa, item));
    } else if (take("[")) {
      const auto ranges = TRY(parse_class());
      nfa.utf8(item.start, item.end, ranges);
    } else if (take(".")) {
      constexpr Range kAny[] = {{0, kLastCodePoint}};
      nfa.utf8(item.start, item.end, kAny);
    } else if (is_name(c)) {
      const std::string_view name = take_name();
      if (name.size() > kMaxNameBytes) return bad_name();
      nfa.call(item.start, item.end, rule_named(name).id);
    } else {
      return bad(std::string("'") + c + "' is not expected here");
    }
    return composer.end_item(item);
  }

  Result<std::uint32_t> take_number() {
    if (peek() < '0' || peek() > '9') return bad("a number is expected");
    std::uint32_t number = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      number = number * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (number > kMaxRepeat) {
        return bad("more than " + std::to_string(kMaxRepeat) + " repetitions");
      }
    }
    return number;
  }

  Result<void> parse_repetition(Composer& composer) {
    if (!composer.has_item()) return bad("there is nothing to repeat");
    if (take("*")) return composer.repeat(0, std::nullopt);
    if (take("+")) return composer.repeat(1, std::nullopt);
    if (take("?")) return composer.repeat(0, 1);
    take("{");
    const std::uint32_t least = TRY(take_number());
    std::optional<std::uint32_t> most = least;
    if (take(",")) {
      most.reset();
      if (peek() != '}') most = TRY(take_number());
    }
    if (!take("}")) return bad("'}' is expected");
    if (most && *most < least) return bad("a repetition's most is less than its least");
    return composer.repeat(least, most);
  }

  Result<void> parse_string(Nfa& nfa, const Fragment& item) {
    StateId at = item.start;
    while (!take("\"")) {
      const std::uint32_t code_point = TRY(take_character());
      const Range range = {code_point, code_point};
      const StateId next = nfa.add_state();
      nfa.utf8(at, next, std::span(&range, 1));
      at = next;
    }
    nfa.epsilon(at, item.end);
    return {};
  }

  Result<std::vector<Range>> parse_class() {
    const bool is_negated = take("^");
    std::vector<Range> ranges;
    while (!take("]")) {
      const std::uint32_t first = TRY(take_character());
      std::uint32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        last = TRY(take_character());
        if (last < first) return bad("a range in a class runs backwards");
      }
      ranges.push_back({first, last});
    }
    constexpr Range kAll[] = {{0, kLastCodePoint}};
    ranges = normalize(std::move(ranges));
    return is_negated ? subtract(kAll, ranges) : ranges;
  }

  /// One code point of a string or class.
  Result<std::uint32_t> take_character() {
    if (at_end() || peek() == '\n') return bad("a string or class is not closed");
    if (take("\\")) return take_escape();
    const auto lead = static_cast<unsigned char>(peek());
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (length == 0 || at_ + length > text_.size()) return bad("the text is not UTF-8");
    std::uint32_t code_point = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto byte = static_cast<unsigned char>(text_[at_ + i]);
      if ((byte & 0xc0) != 0x80) return bad("the text is not UTF-8");
      code_point = code_point << 6 | (byte & 0x3fU);
    }
    at_ += length;
    return check_code_point(code_point);
  }

  Result<std::uint32_t> check_code_point(std::uint32_t code_point) {
    if (code_point > kLastCodePoint || (code_point >= 0xd800 && code_point <= 0xdfff)) {
      return bad("there is no such character");
    }
    return code_point;
  }

  Result<std::uint32_t> take_escape() {
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return take_hex(2);
      case 'u':
        return take_hex(4);
      case 'U':
        return take_hex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<std::uint32_t>(c);
      default:
        --at_;
        return bad("an escape that is not known");
    }
  }

  Result<std::uint32_t> take_hex(std::size_t n_digits) {
    std::uint32_t code_point = 0;
    for (std::size_t i = 0; i < n_digits; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return bad(std::to_string(n_digits) + " hexadecimal digits are expected");
      code_point = code_point << 4 | static_cast<std::uint32_t>(digit);
    }
    return check_code_point(code_point);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t counted_to_ = 0;
  MachineBuilder builder_;
  std::map<std::string, Rule, std::less<>> rules_;
};

}  // namespace

Result<Machine> compile_gbnf(std::string_view text) {
  if (text.size() > kMaxGrammarBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "a grammar of " + std::to_string(text.size()) + " bytes; at most " +
                    std::to_string(kMaxGrammarBytes) + " are read");
  }
  return Parser(text).parse();
}

}  // namespace kinglet::inference::grammar
