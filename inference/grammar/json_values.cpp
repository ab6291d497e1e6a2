#include "inference/grammar/json_values.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>

#include "inference/grammar/machine.h"

namespace kinglet::inference::grammar {
namespace {

constexpr std::uint32_t kMostDecimals = 6;
constexpr std::int64_t kMostNumber = 1'000'000'000;
constexpr std::int64_t kMostInteger = 999'999'999'999'999;

/// Characters that stand for themselves in a JSON string.
std::vector<Range> plain_characters() {
  return {{0x20, 0x21}, {0x23, 0x5b}, {0x5d, kLastCodePoint}};
}

std::vector<Range> intersect(std::span<const Range> a, Range b) {
  std::vector<Range> both;
  for (const Range range : a) {
    const Range part = {std::max(range.first, b.first), std::min(range.last, b.last)};
    if (part.first <= part.last) both.push_back(part);
  }
  return both;
}

void add_bytes(Nfa& nfa, StateId from, StateId to, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    nfa.range(from, to, {byte, byte});
  }
}

StateId add_digits(Nfa& nfa, StateId from, std::size_t least, std::size_t most) {
  const StateId to = nfa.add_state();
  for (std::size_t i = 0; i < most; ++i) {
    if (i >= least) nfa.epsilon(from, to);
    const StateId next = nfa.add_state();
    nfa.range(from, next, {'0', '9'});
    from = next;
  }
  nfa.epsilon(from, to);
  return to;
}

/// A character as JSON has to spell it when it cannot stand for itself.
std::string escaped(std::uint32_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return std::string("\\u00") + kHex[c >> 4] + kHex[c & 15];
  }
}

/// Numbers of exactly n digits from `least` to `most` (both of n digits, zeros in front), a point
/// before the last `n_decimals`.
void add_digit_range(Nfa& nfa,
                     StateId from,
                     StateId to,
                     const std::string& least,
                     const std::string& most,
                     std::size_t n_decimals) {
  // A state for each place, and whether the digits so far are those of a limit.
  std::map<std::tuple<std::size_t, bool, bool>, StateId> states;
  std::vector<std::tuple<std::size_t, bool, bool>> open = {{0, true, true}};
  states[open.front()] = from;
  const std::size_t n = least.size();
  while (!open.empty()) {
    const auto [place, at_least, at_most] = open.back();
    StateId state = states[open.back()];
    open.pop_back();
    if (n_decimals > 0 && place == n - n_decimals) state = nfa.literal(state, ".");
    const char low = at_least ? least[place] : '0';
    const char high = at_most ? most[place] : '9';
    for (char digit = low; digit <= high; ++digit) {
      StateId next = to;
      if (place + 1 < n) {
        const std::tuple key(place + 1, at_least && digit == low, at_most && digit == high);
        const auto [entry, is_new] = states.try_emplace(key);
        if (is_new) {
          entry->second = nfa.add_state();
          open.push_back(key);
        }
        next = entry->second;
      }
      const auto byte = static_cast<std::uint8_t>(digit);
      nfa.range(state, next, {byte, byte});
    }
  }
}

/// least <= k <= most, both at least 0, written as k * 10^-n_decimals.
void add_scaled_range(Nfa& nfa,
                      StateId from,
                      StateId to,
                      std::int64_t least,
                      std::int64_t most,
                      std::size_t n_decimals) {
  std::string low = std::to_string(least);
  const std::string high = std::to_string(most);
  // One digit stands before the point at least; beyond that, the first is no zero.
  const auto padded = [&](const std::string& digits) {
    return std::string(n_decimals + 1 - std::min(n_decimals + 1, digits.size()), '0') + digits;
  };
  low = padded(low);
  for (std::size_t n = low.size(); n <= padded(high).size(); ++n) {
    const bool is_first = n == low.size();
    const bool is_last = n == padded(high).size();
    add_digit_range(nfa,
                    from,
                    to,
                    is_first ? low : "1" + std::string(n - 1, '0'),
                    is_last ? padded(high) : std::string(n, '9'),
                    n_decimals);
  }
}

std::int64_t power_of_ten(std::uint32_t exponent) {
  std::int64_t power = 1;
  while (exponent-- > 0)
    power *= 10;
  return power;
}

/// The least k with k * 10^-n_decimals within the bound.
std::int64_t least_above(const Bound& bound, std::uint32_t n_decimals) {
  const Decimal& value = bound.value;
  if (n_decimals >= value.n_decimals) {
    const std::int64_t k = value.digits * power_of_ten(n_decimals - value.n_decimals);
    return bound.is_exclusive ? k + 1 : k;
  }
  const std::int64_t divisor = power_of_ten(value.n_decimals - n_decimals);
  const std::int64_t floor = value.digits / divisor - (value.digits % divisor < 0 ? 1 : 0);
  const bool is_exact = value.digits % divisor == 0;
  return is_exact && !bound.is_exclusive ? floor : floor + 1;
}

Bound negated(Bound bound) {
  bound.value.digits = -bound.value.digits;
  return bound;
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  std::string digits;
  std::int64_t exponent = 0;
  bool after_point = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      digits += c;
      if (after_point) --exponent;
    } else if (c == '.') {
      after_point = true;
    } else if (c == 'e' || c == 'E') {
      const std::string rest(text.substr(i + 1));
      if (rest.size() > 5) return std::nullopt;
      exponent += std::atoi(rest.c_str());
      break;
    } else {
      return std::nullopt;
    }
  }
  while (digits.size() > 1 && digits.back() == '0' && exponent < 0) {
    digits.pop_back();
    ++exponent;
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return Decimal{};
  for (; exponent > 0 && digits.size() <= 15; --exponent)
    digits += '0';
  const auto n_decimals = static_cast<std::size_t>(-exponent);
  if (exponent > 0 || n_decimals > 9 || digits.size() > 15) return std::nullopt;
  const std::int64_t number = std::atoll(digits.c_str());
  return Decimal{is_negative ? -number : number, static_cast<std::uint32_t>(n_decimals)};
}

void add_string(Nfa& nfa, StateId from, StateId to) {
  const StateId inside = nfa.literal(from, "\"");
  nfa.utf8(inside, inside, plain_characters(), Effect::kCount);
  const StateId escape = nfa.add_state();
  nfa.range(inside, escape, {'\\', '\\'}, Effect::kCount);
  add_bytes(nfa, escape, inside, "\"\\/bfnrt");
  // \uXXXX, but no half of a surrogate pair: two of them would be one character.
  const auto hex = [&](StateId a, StateId b) {
    for (const Range digits : {Range{'0', '9'}, Range{'A', 'F'}, Range{'a', 'f'}})
      nfa.range(a, b, digits);
  };
  const StateId first = nfa.literal(escape, "u");
  const StateId second = nfa.add_state();
  const StateId after_d = nfa.add_state();
  const StateId third = nfa.add_state();
  const StateId fourth = nfa.add_state();
  for (const Range digits :
       {Range{'0', '9'}, Range{'A', 'C'}, Range{'E', 'F'}, Range{'a', 'c'}, Range{'e', 'f'}}) {
    nfa.range(first, second, digits);
  }
  add_bytes(nfa, first, after_d, "Dd");
  nfa.range(after_d, third, {'0', '7'});
  hex(second, third);
  hex(third, fourth);
  hex(fourth, inside);
  nfa.range(inside, to, {'"', '"'}, Effect::kEnough);
}

Result<void> add_pattern_string(Nfa& nfa,
                                StateId from,
                                StateId to,
                                const PatternAutomaton& pattern,
                                std::uint32_t least,
                                std::optional<std::uint32_t> most) {
  // Pairs of the pattern's state and the length so far, which counts only up to the last limit.
  const std::uint32_t n_counted = most ? *most : least;
  using Pair = std::pair<std::uint32_t, std::uint32_t>;
  std::map<Pair, StateId> states;
  std::vector<Pair> open;
  const auto state_of = [&](Pair pair) {
    const auto [entry, is_new] = states.try_emplace(pair);
    if (is_new) {
      entry->second = nfa.add_state();
      open.push_back(pair);
    }
    return entry->second;
  };
  nfa.range(from, state_of({0, 0}), {'"', '"'});
  while (!open.empty()) {
    const Pair pair = open.back();
    open.pop_back();
    const StateId state = states[pair];
    const auto& [in_pattern, length] = pair;
    if (pattern.states[in_pattern].is_final && length >= least) {
      nfa.range(state, to, {'"', '"'});
    }
    if (most && length == *most) continue;
    for (const PatternAutomaton::Step& step : pattern.states[in_pattern].steps) {
      const StateId next = state_of({step.to, std::min(length + 1, n_counted)});
      nfa.utf8(state, next, intersect(plain_characters(), step.range));
      for (std::uint32_t c = step.range.first; c <= std::min(step.range.last, 0x5cU); ++c) {
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        const std::string spelling = escaped(c);
        const StateId last = nfa.literal(state, spelling.substr(0, spelling.size() - 1));
        add_bytes(nfa, last, next, spelling.substr(spelling.size() - 1));
      }
      if (nfa.size() > kMaxStates) {
        return fail(ErrorCode::kInvalidArgument,
                    "pattern and lengths together need more than " + std::to_string(kMaxStates) +
                        " states; make the lengths smaller");
      }
    }
  }
  return {};
}

void add_bounded_number(
    Nfa& nfa, StateId from, StateId to, const NumberLimits& limits, bool is_integer) {
  const std::int64_t farthest = is_integer ? kMostInteger : kMostNumber;
  const Bound least = limits.least.value_or(Bound{{-farthest, 0}, false});
  const Bound most = limits.most.value_or(Bound{{farthest, 0}, false});
  const std::uint32_t n_most_decimals =
      is_integer ? 0 : std::max({kMostDecimals, least.value.n_decimals, most.value.n_decimals});
  for (std::uint32_t n_decimals = 0; n_decimals <= n_most_decimals; ++n_decimals) {
    const std::int64_t low = least_above(least, n_decimals);
    const std::int64_t high = -least_above(negated(most), n_decimals);
    if (low > high) continue;
    if (high >= 0)
      add_scaled_range(nfa, from, to, std::max<std::int64_t>(low, 0), high, n_decimals);
    if (low < 0) {
      const StateId behind_sign = nfa.literal(from, "-");
      const std::int64_t smallest = std::max<std::int64_t>(1, -high);
      add_scaled_range(nfa, behind_sign, to, smallest, -low, n_decimals);
    }
  }
}

void add_integer(Nfa& nfa, StateId from, StateId to) {
  add_bytes(nfa, from, to, "0");
  const StateId sign = nfa.add_state();
  nfa.epsilon(from, sign);
  nfa.range(from, sign, {'-', '-'});
  const StateId first = nfa.add_state();
  nfa.range(sign, first, {'1', '9'});
  nfa.epsilon(add_digits(nfa, first, 0, 14), to);
}

void add_number(Nfa& nfa, StateId from, StateId to) {
  const StateId sign = nfa.add_state();
  nfa.epsilon(from, sign);
  nfa.range(from, sign, {'-', '-'});
  const StateId whole = nfa.add_state();
  nfa.range(sign, whole, {'0', '0'});
  const StateId first = nfa.add_state();
  nfa.range(sign, first, {'1', '9'});
  nfa.epsilon(add_digits(nfa, first, 0, 14), whole);
  const StateId decimals = nfa.add_state();
  nfa.epsilon(whole, decimals);
  nfa.epsilon(add_digits(nfa, nfa.literal(whole, "."), 1, 15), decimals);
  // Two digits of exponent: no such number is infinite.
  nfa.epsilon(decimals, to);
  const StateId exponent = nfa.add_state();
  add_bytes(nfa, decimals, exponent, "eE");
  const StateId exponent_sign = nfa.add_state();
  nfa.epsilon(exponent, exponent_sign);
  add_bytes(nfa, exponent, exponent_sign, "+-");
  nfa.epsilon(add_digits(nfa, exponent_sign, 1, 2), to);
}

}  // namespace kinglet::inference::grammar
