// A compiled grammar: one deterministic automaton over bytes for each rule, which calls other rules
// (a recursive transition network). Where a state both reads bytes and calls, or calls several
// rules, a matcher follows all of them at once.
//
// A rule may have a counter, for what an automaton would need a state per number for: the
// characters of a string, the items of an array. Edges count up, or are open only once enough was
// counted.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/grammar/nfa.h"

namespace kinglet::inference::grammar {

inline constexpr std::uint32_t kNoLimit = std::numeric_limits<std::uint32_t>::max();

struct Machine {
  struct ByteEdge {
    std::uint8_t first;
    std::uint8_t last;
    Effect effect;
    StateId to;
  };
  struct Call {
    std::uint32_t rule;
    Effect effect;
    StateId to;
  };
  struct State {
    std::uint32_t first_edge = 0;  ///< into edges, by byte; they do not overlap
    std::uint32_t n_edges = 0;
    std::uint32_t first_call = 0;
    std::uint32_t n_calls = 0;
    std::uint32_t rule = 0;
    bool is_final = false;  ///< the rule may end here
  };
  struct Rule {
    std::string name;  ///< for messages
    StateId start = 0;
    std::uint32_t least = 0;  ///< of the counter
    std::uint32_t most = kNoLimit;
  };

  std::vector<State> states;
  std::vector<ByteEdge> edges;
  std::vector<Call> calls;
  std::vector<Rule> rules;
  std::uint32_t root = 0;

  std::span<const ByteEdge> edges_of(StateId state) const {
    return std::span(edges).subspan(states[state].first_edge, states[state].n_edges);
  }
  std::span<const Call> calls_of(StateId state) const {
    return std::span(calls).subspan(states[state].first_call, states[state].n_calls);
  }
  /// The edge that reads a byte; nullptr when there is none.
  const ByteEdge* edge(StateId state, std::uint8_t byte) const {
    for (const ByteEdge& edge : edges_of(state)) {
      if (byte <= edge.last) return byte >= edge.first ? &edge : nullptr;
    }
    return nullptr;
  }
};

/// States of all rules together.
inline constexpr std::size_t kMaxStates = 200'000;

/// Makes a machine, rule by rule.
class MachineBuilder {
 public:
  /// A rule to be called before it is defined.
  std::uint32_t declare(std::string name);
  std::size_t n_rules() const { return machine_.rules.size(); }
  /// What the rule reads, by bytes, is what leads from fragment.start to fragment.end. Error:
  /// kInvalidArgument, naming the rule, when it takes too many states, or all rules so far too much
  /// time.
  Result<void> define(std::uint32_t rule, const Nfa& nfa, const Fragment& fragment);
  void set_counter(std::uint32_t rule, std::uint32_t least, std::uint32_t most);

  /// Errors: kInvalidArgument, naming a rule, when one can call itself before it has read anything
  /// (left recursion), or when nothing at all is a text of the root.
  Result<Machine> finish(std::uint32_t root) &&;

 private:
  Machine machine_;
  std::uint64_t work_ = 0;  // spent on its rules
};

}  // namespace kinglet::inference::grammar
