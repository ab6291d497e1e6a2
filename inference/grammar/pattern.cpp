#include "inference/grammar/pattern.h"

#include <algorithm>
#include <map>
#include <string>

namespace kinglet::inference::grammar {
namespace {

constexpr std::size_t kMaxPatternStates = 10'000;
constexpr Range kAll[] = {{0, kLastCodePoint}};

std::vector<Range> complement(std::vector<Range> ranges) {
  return subtract(kAll, normalize(std::move(ranges)));
}

std::vector<Range> digits() {
  return {{'0', '9'}};
}
std::vector<Range> word_characters() {
  return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
}
/// ECMA-262's WhiteSpace and LineTerminator.
std::vector<Range> spaces() {
  return {{9, 13},
          {32, 32},
          {0xa0, 0xa0},
          {0x1680, 0x1680},
          {0x2000, 0x200a},
          {0x2028, 0x2029},
          {0x202f, 0x202f},
          {0x205f, 0x205f},
          {0x3000, 0x3000},
          {0xfeff, 0xfeff}};
}
std::vector<Range> line_ends() {
  return {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
}

class Parser {
 public:
  Parser(std::string_view pattern, Nfa& nfa)
      : text_(pattern), nfa_(nfa), composer_(nfa, kMaxPatternStates) {}

  Result<Fragment> parse() {
    while (at_ < text_.size())
      TRY(parse_item());
    if (composer_.n_open() > 0) return bad("a '(' is not closed");
    return composer_.finish();
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  tl::unexpected<Error> bad(const std::string& what,
                            ErrorCode code = ErrorCode::kInvalidArgument) const {
    return fail(code, what + " (at byte " + std::to_string(at_) + ")");
  }

  Result<void> parse_item() {
    if (take("|")) {
      return composer_.alternative();
    }
    if (take("(")) {
      if (peek() == '?' && !take("?:")) {
        return bad("look-around and named groups are not supported", ErrorCode::kUnsupported);
      }
      return composer_.open_group();
    }
    if (take(")")) {
      if (!composer_.close_group()) return bad("')' without '('");
      return {};
    }
    const char c = peek();
    if (c == '*' || c == '+' || c == '?' || c == '{') return parse_repetition();
    if (c == '}' || c == ']') return bad(std::string("'") + c + "' stands alone");
    const Fragment item = composer_.begin_item();
    if (take("^")) {
      nfa_.assertion(item.start, item.end, EdgeKind::kAtStart);
    } else if (take("$")) {
      nfa_.assertion(item.start, item.end, EdgeKind::kAtEnd);
    } else {
      const auto ranges = TRY(parse_characters());
      for (const Range range : ranges)
        nfa_.range(item.start, item.end, range);
    }
    return composer_.end_item(item);
  }

  Result<std::uint32_t> take_number() {
    if (peek() < '0' || peek() > '9') return bad("a number is expected");
    std::uint32_t number = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      number = number * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (number > kMaxPatternStates) return bad("too many repetitions");
    }
    return number;
  }

  Result<void> parse_repetition() {
    if (!composer_.has_item()) return bad("there is nothing to repeat");
    std::uint32_t least = 0;
    std::optional<std::uint32_t> most;
    if (take("*")) {
    } else if (take("+")) {
      least = 1;
    } else if (take("?")) {
      most = 1;
    } else {
      take("{");
      least = TRY(take_number());
      most = least;
      if (take(",")) {
        most.reset();
        if (peek() != '}') most = TRY(take_number());
      }
      if (!take("}")) return bad("'}' is expected");
      if (most && *most < least) return bad("a repetition's most is less than its least");
    }
    take("?");  // lazy: finds the same texts
    return composer_.repeat(least, most);
  }

  /// The characters that one item stands for.
  Result<std::vector<Range>> parse_characters() {
    if (take("[")) return parse_class();
    if (take(".")) return complement(line_ends());
    if (take("\\")) return parse_escape();
    const std::uint32_t c = TRY(take_code_point());
    return std::vector<Range>{{c, c}};
  }

  Result<std::vector<Range>> parse_class() {
    const bool is_negated = take("^");
    std::vector<Range> ranges;
    while (!take("]")) {
      if (at_ == text_.size()) return bad("a class is not closed");
      std::vector<Range> part = TRY(parse_class_atom());
      const bool is_range = peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']' &&
                            text_[at_ + 1] != '\0';
      if (is_range) {
        ++at_;
        const std::vector<Range> end = TRY(parse_class_atom());
        const bool is_single = part.size() == 1 && part[0].first == part[0].last &&
                               end.size() == 1 && end[0].first == end[0].last;
        if (!is_single || end[0].first < part[0].first) return bad("a range makes no sense");
        part[0].last = end[0].first;
      }
      ranges.insert(ranges.end(), part.begin(), part.end());
    }
    return is_negated ? complement(std::move(ranges)) : normalize(std::move(ranges));
  }

  Result<std::vector<Range>> parse_class_atom() {
    if (take("\\")) {
      if (take("b")) return std::vector<Range>{{8, 8}};
      if (take("-")) return std::vector<Range>{{'-', '-'}};
      return parse_escape();
    }
    const std::uint32_t c = TRY(take_code_point());
    return std::vector<Range>{{c, c}};
  }

  Result<std::vector<Range>> parse_escape() {
    const auto one = [](std::uint32_t c) { return std::vector<Range>{{c, c}}; };
    if (at_ == text_.size()) return bad("a '\\' with nothing behind it");
    const char c = peek();
    ++at_;
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return complement(digits());
      case 'w':
        return word_characters();
      case 'W':
        return complement(word_characters());
      case 's':
        return spaces();
      case 'S':
        return complement(spaces());
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
        return one(TRY(take_hex(2)));
      case 'u':
        return one(TRY(take_hex(4)));
      default:
        if (std::string_view("^$\\.*+?()[]{}|/").find(c) != std::string_view::npos && c != '\0') {
          return one(static_cast<std::uint32_t>(c));
        }
        --at_;
        return bad(std::string("the escape \\") + c + " is not supported", ErrorCode::kUnsupported);
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
    if (code_point >= 0xd800 && code_point <= 0xdfff) {
      return bad("halves of surrogate pairs are not supported", ErrorCode::kUnsupported);
    }
    return code_point;
  }

  /// The pattern comes out of a JSON text: it is UTF-8.
  Result<std::uint32_t> take_code_point() {
    const auto lead = static_cast<unsigned char>(peek());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at_ + length > text_.size()) return bad("the pattern is not UTF-8");
    std::uint32_t code_point = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i)
      code_point = code_point << 6 | (static_cast<unsigned char>(text_[at_ + i]) & 0x3fU);
    at_ += length;
    return code_point;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Nfa& nfa_;
  Composer composer_;
};

using StateSet = std::vector<StateId>;  // sorted

/// What is reached without reading; assertions of the one kind, if any, hold.
StateSet closure(const Nfa& nfa, StateSet states, EdgeKind holds) {
  std::vector<StateId> open = states;
  std::vector<bool> seen(nfa.size(), false);
  for (const StateId state : states)
    seen[state] = true;
  while (!open.empty()) {
    const StateId state = open.back();
    open.pop_back();
    for (const Edge& edge : nfa.edges(state)) {
      if ((edge.kind != EdgeKind::kEpsilon && edge.kind != holds) || seen[edge.to]) continue;
      seen[edge.to] = true;
      states.push_back(edge.to);
      open.push_back(edge.to);
    }
  }
  std::sort(states.begin(), states.end());
  return states;
}

}  // namespace

Result<PatternAutomaton> compile_pattern(std::string_view pattern) {
  Nfa nfa;
  const Fragment found = TRY(Parser(pattern, nfa).parse());
  const StateId start = nfa.add_state();
  const StateId end = nfa.add_state();
  nfa.range(start, start, kAll[0]);
  nfa.epsilon(start, found.start);
  nfa.epsilon(found.end, end);
  nfa.range(end, end, kAll[0]);

  PatternAutomaton automaton;
  std::map<StateSet, std::uint32_t> numbers;
  std::vector<StateSet> sets;
  const auto number_of = [&](StateSet set) {
    const auto [entry, is_new] =
        numbers.try_emplace(std::move(set), static_cast<std::uint32_t>(sets.size()));
    if (is_new) sets.push_back(entry->first);
    return entry->second;
  };
  // Only here, where nothing was read yet, ^ holds.
  number_of(closure(nfa, {start}, EdgeKind::kAtStart));
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (sets.size() > kMaxPatternStates) {
      return fail(ErrorCode::kInvalidArgument,
                  "it takes more than " + std::to_string(kMaxPatternStates) + " states");
    }
    const StateSet set = sets[i];
    PatternAutomaton::State state;
    // The empty text is at its start and at its end.
    StateSet at_end = closure(nfa, set, EdgeKind::kAtEnd);
    if (i == 0) {
      for (std::size_t before = 0; before != at_end.size();) {
        before = at_end.size();
        at_end = closure(nfa, closure(nfa, at_end, EdgeKind::kAtStart), EdgeKind::kAtEnd);
      }
    }
    state.is_final = std::binary_search(at_end.begin(), at_end.end(), end);
    std::vector<std::uint32_t> borders;
    for (const StateId member : set) {
      for (const Edge& edge : nfa.edges(member)) {
        if (edge.kind != EdgeKind::kRange) continue;
        borders.push_back(edge.range.first);
        borders.push_back(edge.range.last + 1);
      }
    }
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    for (std::size_t b = 0; b + 1 < borders.size(); ++b) {
      StateSet targets;
      for (const StateId member : set) {
        for (const Edge& edge : nfa.edges(member)) {
          if (edge.kind == EdgeKind::kRange && edge.range.first <= borders[b] &&
              edge.range.last >= borders[b]) {
            targets.push_back(edge.to);
          }
        }
      }
      if (targets.empty()) continue;
      std::sort(targets.begin(), targets.end());
      targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
      const std::uint32_t to = number_of(closure(nfa, std::move(targets), EdgeKind::kEpsilon));
      auto& steps = state.steps;
      if (!steps.empty() && steps.back().to == to && steps.back().range.last + 1 == borders[b]) {
        steps.back().range.last = borders[b + 1] - 1;
      } else {
        steps.push_back({{borders[b], borders[b + 1] - 1}, to});
      }
    }
    automaton.states.push_back(std::move(state));
  }
  return automaton;
}

}  // namespace kinglet::inference::grammar
