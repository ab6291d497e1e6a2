// The regular expressions of JSON Schema's "pattern": ECMA-262 with the flag u, as far as it is
// regular. Literals, ., classes, \d \w \s and their complements, groups, |, * + ? {n,m} (greedy or
// lazy: the same texts), ^ and $ anywhere. Not regular, and refused: back references, look-around,
// \b.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/grammar/nfa.h"

namespace kinglet::inference::grammar {

/// A deterministic automaton over code points. State 0 is the start.
struct PatternAutomaton {
  struct Step {
    Range range;
    std::uint32_t to;
  };
  struct State {
    std::vector<Step> steps;  ///< they do not overlap
    bool is_final = false;
  };
  std::vector<State> states;
};

/// The texts in which the pattern is found somewhere (all that are nothing but it, when it begins
/// with ^ and ends with $). Errors: kInvalidArgument for what is no pattern, or takes more than
/// 10,000 states; kUnsupported for what is not regular.
Result<PatternAutomaton> compile_pattern(std::string_view pattern);

}  // namespace kinglet::inference::grammar
