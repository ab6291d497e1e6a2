#include "inference/grammar/distances.h"

#include <algorithm>
#include <deque>

namespace kinglet::inference::grammar {
namespace {

// States that read more bytes than this are left by single bytes: a longer token would seldom save
// anything there.
constexpr std::size_t kMostEdges = 4;
// Nodes of the trie that are looked at from one state.
constexpr std::size_t kMostNodes = 256;

}  // namespace

Distances::Distances(const Machine& machine) : machine_(machine) {
  solve({});
}

Distances::Distances(const Machine& machine, const TokenTrie& trie) : machine_(machine) {
  solve(token_moves(trie));
}

std::vector<Distances::Move> Distances::token_moves(const TokenTrie& trie) const {
  struct Place {
    StateId state;
    TokenTrie::NodeIndex node;
  };
  std::vector<Move> moves;
  std::vector<Place> open;
  for (StateId start = 0; start < machine_.states.size(); ++start) {
    open.assign(1, {start, TokenTrie::kRoot});
    for (std::size_t n_seen = 0; !open.empty() && n_seen < kMostNodes; ++n_seen) {
      const Place place = open.back();
      open.pop_back();
      const auto edges = machine_.edges_of(place.state);
      if (edges.size() > kMostEdges) continue;
      for (const Machine::ByteEdge& edge : edges) {
        if (edge.effect != Effect::kNone || edge.first != edge.last) continue;
        const auto node = trie.child(place.node, edge.first);
        if (!node) continue;
        open.push_back({edge.to, *node});
        if (trie.nodes()[*node].depth > 1 && !trie.tokens_at(*node).empty()) {
          moves.push_back({start, edge.to});
        }
      }
    }
  }
  return moves;
}

void Distances::solve(const std::vector<Move>& moves) {
  const std::size_t n_states = machine_.states.size();
  known_.assign(n_states, {kUnreachable, kUnreachable, kUnreachable});
  std::vector<std::vector<StateId>> moves_of(n_states);
  std::vector<std::vector<StateId>> before(n_states);  // whose distances depend on a state's
  std::vector<std::vector<StateId>> callers(machine_.rules.size());
  for (const Move& move : moves) {
    moves_of[move.from].push_back(move.to);
    before[move.to].push_back(move.from);
  }
  for (StateId state = 0; state < n_states; ++state) {
    for (const auto& edge : machine_.edges_of(state))
      before[edge.to].push_back(state);
    for (const auto& call : machine_.calls_of(state)) {
      before[call.to].push_back(state);
      callers[call.rule].push_back(state);
    }
  }
  // While distances fall, the difference of two of them says nothing yet: what is drawn from it,
  // the distance through a rule that has to count further, moves only when all others rest.
  std::vector<std::uint32_t> far(machine_.rules.size(), kUnreachable);
  const auto through = [&](std::uint32_t rule) {
    return machine_.rules[rule].least < 3 ? of_rule(rule) : far[rule];
  };
  const auto through_step =
      [&](StateId from, std::uint32_t n_missing, Effect effect, std::uint32_t cost, StateId to) {
        const std::uint32_t most = machine_.rules[machine_.states[from].rule].most;
        if (effect == Effect::kEnough && n_missing > 0) return kUnreachable;
        if (effect == Effect::kCount && most == 0) return kUnreachable;
        const std::uint32_t left =
            effect == Effect::kCount && n_missing > 0 ? n_missing - 1 : n_missing;
        return add_distances(cost, known_[to][left]);
      };
  const auto by_reading = [&](StateId state, std::uint32_t n_missing) {
    std::uint32_t best = kUnreachable;
    for (const auto& edge : machine_.edges_of(state))
      best = std::min(best, through_step(state, n_missing, edge.effect, 1, edge.to));
    for (const StateId to : moves_of[state])
      best = std::min(best, through_step(state, n_missing, Effect::kNone, 1, to));
    return best;
  };
  const auto distance = [&](StateId state, std::uint32_t n_missing) {
    if (machine_.states[state].is_final && n_missing == 0) return 0U;
    std::uint32_t best = by_reading(state, n_missing);
    for (const auto& call : machine_.calls_of(state)) {
      best =
          std::min(best, through_step(state, n_missing, call.effect, through(call.rule), call.to));
    }
    return best;
  };
  // Distances only fall; a state is looked at again when one that it depends on has fallen.
  std::deque<StateId> open;
  std::vector<bool> is_open(n_states, true);
  for (StateId state = 0; state < n_states; ++state)
    open.push_back(static_cast<StateId>(n_states - 1 - state));
  const auto look_again = [&](StateId state) {
    if (is_open[state]) return;
    is_open[state] = true;
    open.push_back(state);
  };
  while (!open.empty()) {
    const StateId state = open.front();
    open.pop_front();
    is_open[state] = false;
    bool has_fallen = false;
    for (std::uint32_t n_missing = 0; n_missing < 3; ++n_missing) {
      const std::uint32_t now = distance(state, n_missing);
      if (now < known_[state][n_missing]) {
        known_[state][n_missing] = now;
        has_fallen = true;
      }
    }
    if (has_fallen) {
      for (const StateId other : before[state])
        look_again(other);
      const std::uint32_t rule = machine_.states[state].rule;
      if (machine_.rules[rule].start == state) {
        for (const StateId caller : callers[rule])
          look_again(caller);
      }
    }
    if (!open.empty()) continue;
    for (std::uint32_t rule = 0; rule < machine_.rules.size(); ++rule) {
      if (machine_.rules[rule].least < 3 || of_rule(rule) >= far[rule]) continue;
      far[rule] = of_rule(rule);
      for (const StateId caller : callers[rule])
        look_again(caller);
    }
  }
  reads_next_.assign(n_states, 0);
  for (StateId state = 0; state < n_states; ++state) {
    for (std::uint32_t n_missing = 0; n_missing < 3; ++n_missing) {
      const std::uint32_t known = known_[state][n_missing];
      const bool reads = known < kUnreachable && by_reading(state, n_missing) == known;
      reads_next_[state] |= static_cast<std::uint8_t>((reads ? 1U : 0U) << n_missing);
    }
  }
}

}  // namespace kinglet::inference::grammar
