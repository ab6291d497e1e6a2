#include "inference/grammar/machine.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "inference/grammar/distances.h"

namespace kinglet::inference::grammar {
namespace {

using StateSet = std::vector<StateId>;  // sorted
// Of all sets of states while one rule's automaton is made: 64 MiB.
constexpr std::size_t kMaxMembers = std::size_t{1} << 24;

// Edges looked at while a grammar's automata are made: a second. Thousands of alternatives
// that begin alike make few states, but each of thousands.
constexpr std::uint64_t kMaxWork = std::uint64_t{1} << 27;

/// Which states are reached without reading.
class Closure {
 public:
  Closure(const Nfa& nfa, StateId end) : nfa_(nfa), end_(end), is_in_(nfa.size(), false) {}

  /// The given ones included; of all only those that say something: the end, and where something is
  /// read. Adds the edges it looks at to `work`.
  StateSet operator()(StateSet states, std::uint64_t& work) {
    std::erase_if(states, [&](StateId state) { return !enter(state); });
    for (std::size_t i = 0; i < states.size(); ++i) {
      const auto edges = nfa_.edges(states[i]);
      work += 1 + edges.size();
      for (const Edge& edge : edges) {
        if (edge.kind == EdgeKind::kEpsilon && enter(edge.to)) states.push_back(edge.to);
      }
    }
    for (const StateId state : states)
      is_in_[state] = false;
    std::erase_if(states, [&](StateId state) { return state != end_ && !reads(state); });
    std::sort(states.begin(), states.end());
    return states;
  }

 private:
  bool reads(StateId state) const {
    return std::ranges::any_of(nfa_.edges(state),
                               [](const Edge& edge) { return edge.kind != EdgeKind::kEpsilon; });
  }
  bool enter(StateId state) {
    if (is_in_[state]) return false;
    is_in_[state] = true;
    return true;
  }

  const Nfa& nfa_;
  StateId end_;
  std::vector<bool> is_in_;
};

tl::unexpected<Error> too_many_states(const std::string& rule) {
  return fail(ErrorCode::kInvalidArgument,
              rule + ": the grammar needs more than " + std::to_string(kMaxStates) +
                  " states; make it smaller, or its repetitions");
}

tl::unexpected<Error> too_much_work(const std::string& rule) {
  return fail(ErrorCode::kInvalidArgument,
              rule +
                  ": the grammar has too many alternatives that begin alike; write what they "
                  "have in common once, in front of them");
}

/// Which states can be passed to their rule's end: by what, is the caller's to say.
/// `passes(state, reached)` looks at `reached` alone; run until nothing changes.
template <class Passes>
std::vector<bool> reach_back(const Machine& machine, Passes passes) {
  std::vector<std::vector<StateId>> behind(machine.states.size());
  std::vector<std::vector<StateId>> callers(machine.rules.size());
  for (StateId state = 0; state < machine.states.size(); ++state) {
    for (const auto& edge : machine.edges_of(state))
      behind[edge.to].push_back(state);
    for (const auto& call : machine.calls_of(state)) {
      behind[call.to].push_back(state);
      callers[call.rule].push_back(state);
    }
  }
  std::vector<bool> reached(machine.states.size(), false);
  std::vector<StateId> open(machine.states.size());
  for (StateId state = 0; state < open.size(); ++state)
    open[state] = state;
  while (!open.empty()) {
    const StateId state = open.back();
    open.pop_back();
    if (reached[state] || !passes(state, reached)) continue;
    reached[state] = true;
    open.insert(open.end(), behind[state].begin(), behind[state].end());
    const std::uint32_t rule = machine.states[state].rule;
    if (machine.rules[rule].start == state) {
      open.insert(open.end(), callers[rule].begin(), callers[rule].end());
    }
  }
  return reached;
}

/// A rule that may call itself before it has read anything.
std::optional<std::uint32_t> find_left_recursion(const Machine& machine) {
  const std::vector<bool> may_be_empty =
      reach_back(machine, [&](StateId state, const std::vector<bool>& reached) {
        if (machine.states[state].is_final) return true;
        const auto calls = machine.calls_of(state);
        return std::any_of(calls.begin(), calls.end(), [&](const Machine::Call& call) {
          return reached[machine.rules[call.rule].start] && reached[call.to];
        });
      });
  // Rules in the order in which all they begin with was seen; what is left over is in a circle.
  const std::size_t n_rules = machine.rules.size();
  std::vector<std::vector<std::uint32_t>> begun_by(n_rules);
  std::vector<std::vector<std::uint32_t>> begins_with(n_rules);
  std::vector<std::uint32_t> n_begins(n_rules, 0);
  std::vector<bool> is_seen(machine.states.size(), false);  // states are of one rule each
  for (std::uint32_t rule = 0; rule < n_rules; ++rule) {
    std::vector<StateId> open = {machine.rules[rule].start};
    is_seen[machine.rules[rule].start] = true;
    while (!open.empty()) {
      const StateId state = open.back();
      open.pop_back();
      for (const Machine::Call& call : machine.calls_of(state)) {
        begun_by[call.rule].push_back(rule);
        begins_with[rule].push_back(call.rule);
        ++n_begins[rule];
        if (!may_be_empty[machine.rules[call.rule].start]) continue;
        if (is_seen[call.to]) continue;
        is_seen[call.to] = true;
        open.push_back(call.to);
      }
    }
  }
  std::vector<std::uint32_t> done;
  for (std::uint32_t rule = 0; rule < n_rules; ++rule) {
    if (n_begins[rule] == 0) done.push_back(rule);
  }
  for (std::size_t i = 0; i < done.size(); ++i) {
    for (const std::uint32_t rule : begun_by[done[i]]) {
      if (--n_begins[rule] == 0) done.push_back(rule);
    }
  }
  if (done.size() == n_rules) return std::nullopt;
  // Of those left over, one that is in a circle and does not only lead to one.
  std::uint32_t rule = 0;
  while (n_begins[rule] == 0)
    ++rule;
  std::vector<bool> visited(n_rules, false);
  while (!visited[rule]) {
    visited[rule] = true;
    const auto& first = begins_with[rule];
    rule = *std::find_if(
        first.begin(), first.end(), [&](std::uint32_t next) { return n_begins[next] > 0; });
  }
  return rule;
}

/// Of the rules that are as far from their end as the root, which is too far, one that is so by
/// itself, as far as can be told.
std::uint32_t find_unsatisfiable(const Machine& machine, const Distances& distances) {
  const std::uint32_t all = distances.of_rule(machine.root);
  std::vector<std::vector<std::uint32_t>> textless(machine.rules.size());  // of those a rule calls
  for (StateId state = 0; state < machine.states.size(); ++state) {
    for (const Machine::Call& call : machine.calls_of(state)) {
      if (distances.of_rule(call.rule) == all) {
        textless[machine.states[state].rule].push_back(call.rule);
      }
    }
  }
  std::vector<bool> visited(machine.rules.size(), false);
  std::uint32_t rule = machine.root;
  while (true) {
    visited[rule] = true;
    const auto& called = textless[rule];
    const auto next = std::find_if(
        called.begin(), called.end(), [&](std::uint32_t other) { return !visited[other]; });
    if (next == called.end()) return rule;
    rule = *next;
  }
}

}  // namespace

std::uint32_t MachineBuilder::declare(std::string name) {
  machine_.rules.push_back({.name = std::move(name)});
  return static_cast<std::uint32_t>(machine_.rules.size() - 1);
}

void MachineBuilder::set_counter(std::uint32_t rule, std::uint32_t least, std::uint32_t most) {
  machine_.rules[rule].least = least;
  machine_.rules[rule].most = most;
}

Result<void> MachineBuilder::define(std::uint32_t rule, const Nfa& nfa, const Fragment& fragment) {
  std::map<StateSet, StateId> numbers;
  std::vector<const StateSet*> sets;
  std::size_t n_members = 0;
  Closure closure(nfa, fragment.end);
  const StateId first = static_cast<StateId>(machine_.states.size());
  const auto number_of = [&](StateSet set) {
    const auto [entry, is_new] = numbers.try_emplace(closure(std::move(set), work_),
                                                     first + static_cast<StateId>(sets.size()));
    if (is_new) {
      sets.push_back(&entry->first);
      n_members += entry->first.size();
    }
    return entry->second;
  };
  machine_.rules[rule].start = number_of({fragment.start});
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const StateSet& set = *sets[i];
    Machine::State state;
    state.rule = rule;
    state.is_final = std::binary_search(set.begin(), set.end(), fragment.end);
    state.first_edge = static_cast<std::uint32_t>(machine_.edges.size());
    state.first_call = static_cast<std::uint32_t>(machine_.calls.size());
    // Between two neighboring borders all bytes lead to the same states.
    std::vector<std::uint32_t> borders;
    std::map<std::pair<std::uint32_t, Effect>, StateSet> calls;
    std::vector<const Edge*> edges;
    for (const StateId member : set) {
      for (const Edge& edge : nfa.edges(member)) {
        if (edge.kind == EdgeKind::kCall) calls[{edge.rule, edge.effect}].push_back(edge.to);
        if (edge.kind != EdgeKind::kRange) continue;
        edges.push_back(&edge);
        borders.push_back(edge.range.first);
        borders.push_back(edge.range.last + 1);
      }
    }
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    for (std::size_t b = 0; b + 1 < borders.size(); ++b) {
      work_ += edges.size();
      StateSet targets;
      Effect effect = Effect::kNone;
      for (const Edge* edge : edges) {
        if (edge->range.first > borders[b] || edge->range.last < borders[b]) continue;
        targets.push_back(edge->to);
        effect = edge->effect;  // the makers of rules with counters see to it that all agree
      }
      if (targets.empty()) continue;
      std::sort(targets.begin(), targets.end());
      targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
      const StateId to = number_of(std::move(targets));
      const auto from_byte = static_cast<std::uint8_t>(borders[b]);
      const auto to_byte = static_cast<std::uint8_t>(borders[b + 1] - 1);
      const bool has_last = machine_.edges.size() > state.first_edge;
      if (has_last && machine_.edges.back().to == to && machine_.edges.back().effect == effect &&
          machine_.edges.back().last + 1 == from_byte) {
        machine_.edges.back().last = to_byte;
      } else {
        machine_.edges.push_back({from_byte, to_byte, effect, to});
      }
    }
    for (auto& [call, targets] : calls) {
      machine_.calls.push_back({call.first, call.second, number_of(std::move(targets))});
    }
    state.n_edges = static_cast<std::uint32_t>(machine_.edges.size()) - state.first_edge;
    state.n_calls = static_cast<std::uint32_t>(machine_.calls.size()) - state.first_call;
    machine_.states.push_back(state);
    if (first + sets.size() > kMaxStates || n_members > kMaxMembers)
      return too_many_states(machine_.rules[rule].name);
    if (work_ > kMaxWork) return too_much_work(machine_.rules[rule].name);
  }
  return {};
}

Result<Machine> MachineBuilder::finish(std::uint32_t root) && {
  machine_.root = root;
  if (const auto rule = find_left_recursion(machine_)) {
    return fail(ErrorCode::kInvalidArgument,
                machine_.rules[*rule].name +
                    " may call itself before it has read anything (left recursion); put what is "
                    "read first in front of the call");
  }
  const Distances distances(machine_);
  if (const std::uint32_t shortest = distances.of_rule(root); shortest >= kTooFar) {
    return fail(
        ErrorCode::kInvalidArgument,
        machine_.rules[find_unsatisfiable(machine_, distances)].name +
            (shortest == kTooFar ? " needs texts of more than " + std::to_string(kTooFar) +
                                       " bytes; ask for fewer repetitions, or less nesting of them"
                                 : " cannot be satisfied: there is no such text"));
  }
  return std::move(machine_);
}

}  // namespace kinglet::inference::grammar
