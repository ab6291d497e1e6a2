// Automata of JSON's scalars, as they may be asked for in a schema.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/base/result.h"
#include "inference/grammar/nfa.h"
#include "inference/grammar/pattern.h"

namespace kinglet::inference::grammar {

/// A decimal number: digits * 10^-n_decimals.
struct Decimal {
  std::int64_t digits = 0;
  std::uint32_t n_decimals = 0;
};
/// At most 9 decimals and 15 digits before them; nothing for any other number.
std::optional<Decimal> parse_decimal(std::string_view text);

struct Bound {
  Decimal value;
  bool is_exclusive = false;
};
struct NumberLimits {
  std::optional<Bound> least;
  std::optional<Bound> most;
};

/// Each adds all between two states; characters of a string count (Effect), its end needs enough.
void add_string(Nfa& nfa, StateId from, StateId to);
/// Strings a pattern accepts, of `least` to `most` characters, which do not count. Error:
/// kInvalidArgument when it takes too many states.
Result<void> add_pattern_string(Nfa& nfa,
                                StateId from,
                                StateId to,
                                const PatternAutomaton& pattern,
                                std::uint32_t least,
                                std::optional<std::uint32_t> most);
/// Integers, or numbers with up to 6 decimals (or as many as a limit has), within limits. Where
/// there is none on a side, numbers end at 10^9, integers at 10^15.
void add_bounded_number(
    Nfa& nfa, StateId from, StateId to, const NumberLimits& limits, bool is_integer);
void add_integer(Nfa& nfa, StateId from, StateId to);
void add_number(Nfa& nfa, StateId from, StateId to);

}  // namespace kinglet::inference::grammar
