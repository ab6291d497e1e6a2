// The loop at the heart of both BPE tokenizers: a row of symbols, of which the best pair of
// neighbors is joined, the leftmost among equals, until no pair can be.
//
// A heap of candidate pairs over a linked list of symbols makes it O(n log n). Joining makes the
// candidates of both neighbors stale; instead of being searched for in the heap, a stale one is
// recognized when it comes up: the two symbols at its place are no longer as long together.
// (Symbols only grow, so that a place sees each length of a pair once.)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

/// A run of a text's bytes that is, or may become part of, one token.
struct Symbol {
  std::uint32_t begin;
  std::uint32_t length;  // 0: joined to the symbol before it
  TokenId token;         // kNoToken: of no token yet
  std::uint32_t before;  // indices of neighbors, PairMerger::kEnd at the ends
  std::uint32_t after;
};

/// Kept between texts to allocate once. Rank: the lower, the better the pair.
template <class Rank>
class PairMerger {
 public:
  static constexpr std::uint32_t kEnd = ~std::uint32_t{0};

  struct Joined {
    Rank rank;
    TokenId token;
  };

  void clear() { symbols_.clear(); }

  /// Adds the symbol that follows the last; `length` > 0.
  void add(std::uint32_t begin, std::uint32_t length, TokenId token) {
    const auto index = static_cast<std::uint32_t>(symbols_.size());
    if (index > 0) symbols_.back().after = index;
    symbols_.push_back({begin, length, token, index == 0 ? kEnd : index - 1, kEnd});
  }

  /// `join(left, right)` gives the std::optional<Joined> of two neighboring symbols.
  template <class Join>
  void merge(const Join& join) {
    heap_.clear();
    for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) {
      if (const auto candidate = candidate_at(i, join)) heap_.push_back(*candidate);
    }
    std::make_heap(heap_.begin(), heap_.end());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate best = heap_.back();
      heap_.pop_back();
      apply(best, join);
    }
  }

  /// Calls visit(symbol) for what is left, in order.
  template <class Visit>
  void visit(const Visit& visit) const {
    if (symbols_.empty()) return;
    for (std::uint32_t i = 0; i != kEnd; i = symbols_[i].after)
      visit(symbols_[i]);
  }

 private:
  /// Two neighbors that may be joined.
  struct Candidate {
    Rank rank;
    std::uint32_t left;    // index of the left symbol
    std::uint32_t length;  // of both together: tells a stale candidate
    TokenId token;

    /// For a max-heap: best rank first, then leftmost.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    }
  };

  template <class Join>
  std::optional<Candidate> candidate_at(std::uint32_t left, const Join& join) const {
    const Symbol& symbol = symbols_[left];
    const Symbol& next = symbols_[symbol.after];
    const std::optional<Joined> joined = join(symbol, next);
    if (!joined) return std::nullopt;
    return Candidate{joined->rank, left, symbol.length + next.length, joined->token};
  }

  template <class Join>
  void apply(const Candidate& candidate, const Join& join) {
    Symbol& left = symbols_[candidate.left];
    if (left.length == 0 || left.after == kEnd) return;
    Symbol& right = symbols_[left.after];
    if (left.length + right.length != candidate.length) return;
    left.length = candidate.length;
    left.token = candidate.token;
    right.length = 0;
    left.after = right.after;
    if (left.after != kEnd) symbols_[left.after].before = candidate.left;
    if (left.before != kEnd) push(left.before, join);
    if (left.after != kEnd) push(candidate.left, join);
  }

  template <class Join>
  void push(std::uint32_t left, const Join& join) {
    if (const auto candidate = candidate_at(left, join)) {
      heap_.push_back(*candidate);
      std::push_heap(heap_.begin(), heap_.end());
    }
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace kinglet::inference
