// How far it is to the end: for each state of a machine, the fewest tokens (or bytes) that lead to
// the end of its rule. By this a mask steers an output so that it is complete in time.
//
// Tokens count as they lie within a rule; where a token would reach across a rule's border, two are
// counted. So a distance may be more than the very least, never less, and from every state a token
// leads to one whose distance is less: who follows the distances arrives.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "inference/grammar/machine.h"
#include "inference/tokenizer/token_trie.h"

namespace kinglet::inference::grammar {

/// Less than half of the type, so that two can be added.
inline constexpr std::uint32_t kUnreachable = 1U << 30;
/// There is a way, but so far that nobody counts it.
inline constexpr std::uint32_t kTooFar = kUnreachable - 1;
constexpr std::uint32_t add_distances(std::uint32_t a, std::uint32_t b) {
  if (a == kUnreachable || b == kUnreachable) return kUnreachable;
  return a + b < kTooFar ? a + b : kTooFar;
}

class Distances {
 public:
  /// In bytes. `machine` must outlive it.
  explicit Distances(const Machine& machine);
  /// In tokens.
  Distances(const Machine& machine, const TokenTrie& trie);

  /// From a state of a rule whose counter still lacks `n_missing`.
  std::uint32_t at(StateId state, std::uint32_t n_missing) const {
    const auto& known = known_[state];
    if (n_missing < known.size()) return known[n_missing];
    // From the second count on, each costs the same.
    const std::uint64_t each = known[2] - known[1];
    const std::uint64_t all = known[2] + each * (n_missing - 2);
    if (known[2] == kUnreachable) return kUnreachable;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(all, kTooFar));
  }
  /// Whether a shortest way from there begins by reading a byte: not with a call, not with the end.
  bool reads_next(StateId state, std::uint32_t n_missing) const {
    return (reads_next_[state] >> std::min(n_missing, 2U) & 1U) != 0;
  }
  std::uint32_t of_rule(std::uint32_t rule) const {
    return at(machine_.rules[rule].start, machine_.rules[rule].least);
  }

 private:
  struct Move {
    StateId from;
    StateId to;
  };
  std::vector<Move> token_moves(const TokenTrie& trie) const;
  void solve(const std::vector<Move>& moves);

  const Machine& machine_;
  std::vector<std::array<std::uint32_t, 3>> known_;  // for 0, 1 and 2 counts missing
  std::vector<std::uint8_t> reads_next_;             // a bit for each of them
};

}  // namespace kinglet::inference::grammar
