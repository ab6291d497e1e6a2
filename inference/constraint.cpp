#include "inference/constraint.h"

#include <algorithm>
#include <array>
#include <utility>

namespace kinglet::inference {

using grammar::Effect;
using grammar::kUnreachable;
using grammar::Machine;
using grammar::StateId;

namespace {

/// Tiers of tokens that are kept apart; the last one takes those that lead farther away.
constexpr std::size_t kMaxTiers = 8;
constexpr std::size_t kMaxRememberedBytes = std::size_t{64} << 20;

}  // namespace

Result<std::shared_ptr<Constraint>> Constraint::create(Machine machine,
                                                       const TokenTrie& trie,
                                                       const Vocabulary& vocabulary) {
  std::array<bool, 256> is_needed = {};
  for (const Machine::ByteEdge& edge : machine.edges)
    std::fill(is_needed.begin() + edge.first, is_needed.begin() + edge.last + 1, true);
  for (std::size_t byte = 0; byte < is_needed.size(); ++byte) {
    const auto node = trie.child(TokenTrie::kRoot, static_cast<std::uint8_t>(byte));
    if (is_needed[byte] && (!node || trie.tokens_at(*node).empty())) {
      return fail(ErrorCode::kUnsupported,
                  "the vocabulary has no token for byte " + std::to_string(byte) +
                      ", which the grammar needs");
    }
  }
  return std::shared_ptr<Constraint>(new Constraint(std::move(machine), trie, vocabulary));
}

const Constraint::LocalMask& Constraint::local_mask(StateId state,
                                                    std::uint32_t n_missing,
                                                    std::uint32_t n_room,
                                                    std::uint64_t& work) {
  // Beyond what one token can count, all numbers are the same. Distances are linear from 2 on.
  const auto most = static_cast<std::uint32_t>(trie_.longest_text()) + 2;
  n_missing = std::min(n_missing, most);
  n_room = std::min(n_room, most);
  const Key key(state, n_missing, n_room);
  const auto known = local_masks_.find(key);
  if (known != local_masks_.end()) return known->second;
  if (n_remembered_bytes_ > kMaxRememberedBytes) {
    local_masks_.clear();
    n_remembered_bytes_ = 0;
  }
  LocalMask made = make_local_mask(state, n_missing, n_room, work);
  n_remembered_bytes_ += made.exits.size() * sizeof(Exit);
  for (const Tier& tier : made.tiers)
    n_remembered_bytes_ += tier.few.size() * sizeof(TokenId) + tier.many.size() / 8;
  return local_masks_.emplace(key, std::move(made)).first->second;
}

Constraint::LocalMask Constraint::make_local_mask(StateId start,
                                                  std::uint32_t n_missing,
                                                  std::uint32_t n_room,
                                                  std::uint64_t& work) const {
  LocalMask local;
  struct Place {
    StateId state;
    std::uint32_t n_counted;
  };
  std::vector<Place> path(trie_.longest_text() + 1);
  path[0] = {start, 0};
  std::map<std::int32_t, std::vector<TokenId>> by_change;
  const auto before = static_cast<std::int32_t>(distances_.at(start, n_missing));
  const auto nodes = trie_.nodes();
  for (TokenTrie::NodeIndex node = 1; node < nodes.size();) {
    ++work;
    const std::size_t depth = nodes[node].depth;
    const Place from = path[depth - 1];
    const Machine::ByteEdge* edge = machine_.edge(from.state, nodes[node].byte);
    const bool is_closed = edge == nullptr ||
                           (edge->effect == Effect::kCount && from.n_counted >= n_room) ||
                           (edge->effect == Effect::kEnough && from.n_counted < n_missing);
    if (is_closed) {
      node = nodes[node].end;
      continue;
    }
    const Place to = {edge->to, from.n_counted + (edge->effect == Effect::kCount ? 1 : 0)};
    const std::uint32_t left =
        distances_.at(to.state, n_missing - std::min(n_missing, to.n_counted));
    if (left >= kUnreachable) {
      node = nodes[node].end;
      continue;
    }
    path[depth] = to;
    const auto tokens = trie_.tokens_at(node);
    if (!tokens.empty()) {
      auto& list = by_change[static_cast<std::int32_t>(left) - before];
      list.insert(list.end(), tokens.begin(), tokens.end());
    }
    const Machine::State& state = machine_.states[to.state];
    if ((state.is_final || state.n_calls > 0) && !trie_.is_leaf(node)) {
      local.exits.push_back({node, to.state, to.n_counted});
    }
    ++node;
  }
  // Exits to the same place lie together: what comes behind them is looked at once.
  std::stable_sort(local.exits.begin(), local.exits.end(), [](const Exit& a, const Exit& b) {
    return std::tie(a.state, a.n_counted) < std::tie(b.state, b.n_counted);
  });
  for (auto& [change, tokens] : by_change) {
    if (local.tiers.size() < kMaxTiers) {
      local.tiers.push_back({change, std::move(tokens), {}});
      continue;
    }
    Tier& last = local.tiers.back();
    last.change = change;
    last.few.insert(last.few.end(), tokens.begin(), tokens.end());
  }
  for (Tier& tier : local.tiers) {
    if (tier.few.size() < trie_.n_vocabulary() / 64) continue;
    tier.many = TokenMask(trie_.n_vocabulary());
    for (const TokenId token : tier.few)
      tier.many.allow(token);
    tier.few = {};
  }
  return local;
}

}  // namespace kinglet::inference
