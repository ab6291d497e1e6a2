// Nondeterministic automata, the clay of which grammar rules and patterns are formed. Everything is
// iterative: how deeply an input is nested costs memory, never stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace kinglet::inference::grammar {

/// What an edge has to do with its rule's counter (machine.h).
enum class Effect : std::uint8_t {
  kNone,
  kCount,   // adds one; open while the count is below the rule's most
  kEnough,  // open once the count has reached the rule's least
};

/// An inclusive range of bytes or code points.
struct Range {
  std::uint32_t first;
  std::uint32_t last;
  friend bool operator==(const Range&, const Range&) = default;
};

enum class EdgeKind : std::uint8_t {
  kEpsilon,
  kRange,    // of one byte, or one code point: the automaton's maker knows
  kCall,     // all of another rule
  kAtStart,  // nothing, where nothing was read yet
  kAtEnd,    // nothing, where nothing will be read
};

struct Edge {
  EdgeKind kind = EdgeKind::kEpsilon;
  Effect effect = Effect::kNone;
  std::uint32_t to = 0;
  Range range = {0, 0};
  std::uint32_t rule = 0;
};

using StateId = std::uint32_t;

/// A part of an automaton with one way in and one way out. Its states are those from `first` on, up
/// to `behind`; no others are reached from its start without passing its end.
struct Fragment {
  StateId start;
  StateId end;
  StateId first;
  StateId behind;
};

class Nfa {
 public:
  StateId add_state() {
    states_.emplace_back();
    return static_cast<StateId>(states_.size() - 1);
  }
  std::size_t size() const { return states_.size(); }
  std::span<const Edge> edges(StateId state) const { return states_[state]; }

  void epsilon(StateId from, StateId to) { states_[from].push_back({.to = to}); }
  void assertion(StateId from, StateId to, EdgeKind kind) {
    states_[from].push_back({.kind = kind, .to = to});
  }
  void range(StateId from, StateId to, Range range, Effect effect = Effect::kNone) {
    states_[from].push_back({.kind = EdgeKind::kRange, .effect = effect, .to = to, .range = range});
  }
  void call(StateId from, StateId to, std::uint32_t rule, Effect effect = Effect::kNone) {
    states_[from].push_back({.kind = EdgeKind::kCall, .effect = effect, .to = to, .rule = rule});
  }
  /// The bytes of a text, one after the other; returns the state behind them.
  StateId literal(StateId from, std::string_view text);
  /// One code point of these, as UTF-8; the effect is the first byte's. Surrogates are left out.
  void utf8(StateId from, StateId to, std::span<const Range> code_points, Effect = Effect::kNone);

  /// The same once more, behind all states there are.
  Fragment copy(const Fragment& fragment);

 private:
  std::vector<std::vector<Edge>> states_;
};

/// Puts automata together as grammars and patterns are written: sequences, alternatives, groups,
/// repetitions. The outermost group is open from the start.
class Composer {
 public:
  /// Errors of the methods below: kInvalidArgument once `nfa` has more than `max_states`.
  Composer(Nfa& nfa, std::size_t max_states);

  /// An item behind the last one: the caller connects its two states.
  Fragment begin_item();
  Result<void> end_item(Fragment item);
  /// Whether there is an item that repeat() can repeat.
  bool has_item() const { return groups_.back().item.has_value(); }
  /// The last item, `least` to `most` times; no `most`: without end.
  Result<void> repeat(std::uint32_t least, std::optional<std::uint32_t> most);
  /// From here on another alternative of the group.
  Result<void> alternative();
  Result<void> open_group();
  /// False when no group is open. The group is an item, then.
  bool close_group();
  std::size_t n_open() const { return groups_.size() - 1; }
  /// The whole. REQUIRES n_open() == 0.
  Fragment finish();

 private:
  struct Group {
    Fragment fragment;
    StateId cursor;  // where the next item begins
    std::optional<Fragment> item;
  };
  void flush();
  void push_group();
  Result<void> check_size() const;

  Nfa& nfa_;
  std::size_t max_states_;
  std::vector<Group> groups_;
};

/// Sorted, without overlaps.
std::vector<Range> normalize(std::vector<Range> ranges);
/// What of `all` is not in `ranges`; both normalized.
std::vector<Range> subtract(std::span<const Range> all, std::span<const Range> ranges);
inline constexpr std::uint32_t kLastCodePoint = 0x10ffff;

}  // namespace kinglet::inference::grammar
