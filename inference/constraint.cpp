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

/// An ambiguous grammar can be read in more ways than anyone wants to follow. The nearest to their
/// end are kept: what is written stays a text of the grammar, and can be completed.
constexpr std::size_t kMaxReadings = 256;
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
                                                    std::uint32_t n_room) {
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
  LocalMask made = make_local_mask(state, n_missing, n_room);
  n_remembered_bytes_ += made.exits.size() * sizeof(Exit);
  for (const Tier& tier : made.tiers)
    n_remembered_bytes_ += tier.few.size() * sizeof(TokenId) + tier.many.size() / 8;
  return local_masks_.emplace(key, std::move(made)).first->second;
}

Constraint::LocalMask Constraint::make_local_mask(StateId start,
                                                  std::uint32_t n_missing,
                                                  std::uint32_t n_room) const {
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

std::size_t ConstraintState::FrameHash::operator()(
    const std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>& key) const {
  const auto& [state, n_counted, parent] = key;
  std::uint64_t hash = state;
  hash = hash * 0x9e3779b97f4a7c15 + n_counted;
  hash = hash * 0x9e3779b97f4a7c15 + parent;
  return hash ^ hash >> 29;
}

ConstraintState::ConstraintState(std::shared_ptr<Constraint> constraint)
    : constraint_(std::move(constraint)), frames_(1, Frame{}) {
  const Machine& machine = constraint_->machine_;
  readings_ = {{machine.rules[machine.root].start, 0, 0}};
  may_end_ = expand(readings_);
}

std::uint32_t ConstraintState::n_missing(StateId state, std::uint32_t n_counted) const {
  const Machine& machine = constraint_->machine_;
  const std::uint32_t least = machine.rules[machine.states[state].rule].least;
  return least - std::min(least, n_counted);
}

std::uint32_t ConstraintState::n_room(StateId state, std::uint32_t n_counted) const {
  const Machine& machine = constraint_->machine_;
  return machine.rules[machine.states[state].rule].most - n_counted;
}

std::uint32_t ConstraintState::frame_of(StateId state,
                                        std::uint32_t n_counted,
                                        std::uint32_t parent) {
  const Machine::State& target = constraint_->machine_.states[state];
  // A rule that would only return, too, is skipped: what calls itself at its end stays flat.
  if (target.is_final && target.n_edges == 0 && target.n_calls == 0) return parent;
  const auto [entry, is_new] = frame_ids_.try_emplace({state, n_counted, parent},
                                                      static_cast<std::uint32_t>(frames_.size()));
  if (is_new) {
    const std::uint32_t own = constraint_->distances_.at(state, n_missing(state, n_counted));
    frames_.push_back(
        {state, n_counted, parent, grammar::add_distances(own, frames_[parent].distance)});
  }
  return entry->second;
}

std::uint32_t ConstraintState::distance(const Reading& reading) const {
  return grammar::add_distances(
      constraint_->distances_.at(reading.state, n_missing(reading.state, reading.n_counted)),
      frames_[reading.frame].distance);
}

bool ConstraintState::expand(std::vector<Reading>& readings) {
  const Machine& machine = constraint_->machine_;
  bool may_end = false;
  const auto add = [&](const Reading& reading) {
    if (distance(reading) >= kUnreachable) return;
    if (std::find(readings.begin(), readings.end(), reading) == readings.end()) {
      readings.push_back(reading);
    }
  };
  // Grows while it is read: each reading adds those that it calls or returns to. When there are too
  // many to follow all, the nearest to their end come first: one of them is on the shortest way.
  for (std::size_t i = 0; i < readings.size() && i < 4 * kMaxReadings; ++i) {
    if (readings.size() > kMaxReadings) {
      const auto rest = readings.begin() + static_cast<std::ptrdiff_t>(i);
      std::iter_swap(rest,
                     std::min_element(rest, readings.end(), [&](const auto& a, const auto& b) {
                       return distance(a) < distance(b);
                     }));
    }
    const Reading reading = readings[i];
    const Machine::State& state = machine.states[reading.state];
    if (state.is_final && reading.frame == 0) may_end = true;
    if (state.is_final && reading.frame != 0) {
      const Frame& frame = frames_[reading.frame];
      add({frame.state, frame.n_counted, frame.parent});
    }
    for (const Machine::Call& call : machine.calls_of(reading.state)) {
      const bool counts = call.effect == Effect::kCount;
      if (counts && n_room(reading.state, reading.n_counted) == 0) continue;
      if (call.effect == Effect::kEnough && n_missing(reading.state, reading.n_counted) > 0) {
        continue;
      }
      const std::uint32_t frame =
          frame_of(call.to, reading.n_counted + (counts ? 1 : 0), reading.frame);
      add({machine.rules[call.rule].start, 0, frame});
    }
  }
  std::erase_if(readings, [&](const Reading& r) { return machine.states[r.state].n_edges == 0; });
  if (readings.size() > kMaxReadings) {
    std::stable_sort(readings.begin(), readings.end(), [&](const Reading& a, const Reading& b) {
      return distance(a) < distance(b);
    });
    readings.resize(kMaxReadings);
  }
  return may_end;
}

void ConstraintState::step(const std::vector<Reading>& from,
                           std::uint8_t byte,
                           std::vector<Reading>& to,
                           bool& may_end) {
  to.clear();
  for (const Reading& reading : from) {
    const Machine::ByteEdge* edge = constraint_->machine_.edge(reading.state, byte);
    if (edge == nullptr) continue;
    const bool counts = edge->effect == Effect::kCount;
    if (counts && n_room(reading.state, reading.n_counted) == 0) continue;
    if (edge->effect == Effect::kEnough && n_missing(reading.state, reading.n_counted) > 0)
      continue;
    const Reading next = {edge->to, reading.n_counted + (counts ? 1 : 0), reading.frame};
    if (distance(next) < kUnreachable && std::find(to.begin(), to.end(), next) == to.end()) {
      to.push_back(next);
    }
  }
  may_end = expand(to);
}

std::uint32_t ConstraintState::n_needed() const {
  std::uint32_t least = may_end_ ? 0 : kUnreachable;
  for (const Reading& reading : readings_)
    least = std::min(least, distance(reading));
  return least;
}

void ConstraintState::allow(std::uint32_t n_left, TokenMask& mask) {
  if (may_end_) {
    for (const TokenId token : constraint_->vocabulary_.end_of_generation())
      mask.allow(token);
  }
  if (n_left == 0) return;
  struct Beyond {
    StateId state;
    std::uint32_t n_counted;
    std::vector<Reading> readings;
    std::array<bool, 256> reads;
  };
  std::vector<Beyond> beyond;
  const TokenTrie& trie = constraint_->trie_;
  for (const Reading& reading : readings_) {
    const std::uint32_t outside = frames_[reading.frame].distance;
    const std::uint32_t missing = n_missing(reading.state, reading.n_counted);
    const auto& local =
        constraint_->local_mask(reading.state, missing, n_room(reading.state, reading.n_counted));
    const std::int64_t most =
        std::int64_t{n_left} - 1 - outside - constraint_->distances_.at(reading.state, missing);
    for (const Constraint::Tier& tier : local.tiers) {
      if (tier.change > most) break;
      if (tier.many.size() > 0) mask.allow(tier.many);
      for (const TokenId token : tier.few)
        mask.allow(token);
    }
    beyond.clear();
    for (const Constraint::Exit& exit : local.exits) {
      const std::uint32_t n_counted = reading.n_counted + exit.n_counted;
      auto known = std::find_if(beyond.begin(), beyond.end(), [&](const Beyond& b) {
        return b.state == exit.state && b.n_counted == n_counted;
      });
      if (known == beyond.end()) {
        // What goes on within the rule is in the local mask.
        const Reading here = {exit.state, n_counted, reading.frame};
        beyond.push_back({exit.state, n_counted, {here}, {}});
        known = beyond.end() - 1;
        expand(known->readings);
        std::erase(known->readings, here);
        for (const Reading& next : known->readings) {
          for (const Machine::ByteEdge& edge : constraint_->machine_.edges_of(next.state))
            std::fill(
                known->reads.begin() + edge.first, known->reads.begin() + edge.last + 1, true);
        }
      }
      const auto nodes = trie.nodes();
      for (TokenTrie::NodeIndex child = exit.node + 1; child < nodes[exit.node].end;
           child = nodes[child].end) {
        if (known->reads[nodes[child].byte]) {
          allow_beyond(child, known->readings, n_left, mask);
        }
      }
    }
  }
}

void ConstraintState::allow_beyond(TokenTrie::NodeIndex first,
                                   const std::vector<Reading>& readings,
                                   std::uint32_t n_left,
                                   TokenMask& mask) {
  const TokenTrie& trie = constraint_->trie_;
  const auto nodes = trie.nodes();
  const std::size_t top = nodes[first].depth - std::size_t{1};
  std::vector<std::vector<Reading>> path(1, readings);
  for (TokenTrie::NodeIndex node = first; node < nodes[first].end;) {
    const std::size_t depth = nodes[node].depth - top;
    if (path.size() <= depth) path.resize(depth + 1);
    bool may_end = false;
    step(path[depth - 1], nodes[node].byte, path[depth], may_end);
    if (path[depth].empty() && !may_end) {
      node = nodes[node].end;
      continue;
    }
    if (!trie.tokens_at(node).empty()) {
      std::uint32_t left = may_end ? 0 : kUnreachable;
      for (const Reading& reading : path[depth])
        left = std::min(left, distance(reading));
      if (left < n_left) {
        for (const TokenId token : trie.tokens_at(node))
          mask.allow(token);
      }
    }
    ++node;
  }
}

void ConstraintState::accept(TokenId token) {
  std::vector<Reading> next;
  for (const char c : constraint_->trie_.text(token)) {
    step(readings_, static_cast<std::uint8_t>(c), next, may_end_);
    readings_.swap(next);
  }
}

}  // namespace kinglet::inference
