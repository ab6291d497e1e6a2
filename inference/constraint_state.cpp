// Where an output stands in a grammar: the ways to read it, followed all at once.
#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "inference/constraint.h"

namespace kinglet::inference {

using grammar::Effect;
using grammar::kUnreachable;
using grammar::Machine;
using grammar::StateId;

namespace {

/// Ways to read a text that are kept; a text of an unambiguous grammar has a handful.
constexpr std::size_t kMaxReadings = 256;
/// Ways that are followed from one place, and calls that are looked at, until those found so far
/// have to do.
constexpr std::uint64_t kMaxFollowed = 1024;
constexpr std::uint64_t kMaxFollowWork = 65'536;
/// Frames that nothing returns to any more are forgotten when there are so many beside the others.
constexpr std::size_t kMaxIdleFrames = 65'536;

/// What a step costs, in units of work: one node of a trie looked at is one.
constexpr std::uint64_t kFollowCost = 8;
constexpr std::uint64_t kCallCost = 4;

}  // namespace

std::size_t ConstraintState::ThreeHash::operator()(const Three& key) const {
  const auto& [first, second, third] = key;
  std::uint64_t hash = first;
  hash = hash * 0x9e3779b97f4a7c15 + second;
  hash = hash * 0x9e3779b97f4a7c15 + third;
  return hash ^ hash >> 29;
}

/// Readings that are still to be followed, each once. The nearest to its end comes first; of equal
/// ones the latest, so that a way is followed to its next byte before the others are begun.
class ConstraintState::Open {
 public:
  struct Entry {
    std::uint32_t distance;
    std::uint32_t number;
    Reading reading;
    bool operator<(const Entry& other) const {
      return distance != other.distance ? distance > other.distance : number < other.number;
    }
  };

  bool empty() const { return heap_.empty(); }
  std::uint32_t nearest() const { return heap_.front().distance; }
  /// Farther ones are passed over.
  void set_most(std::uint32_t most) { most_ = most; }
  bool takes(std::uint32_t distance) const { return distance < kUnreachable && distance <= most_; }

  void add(const Reading& reading, std::uint32_t distance) {
    if (!takes(distance) || !is_new(reading)) return;
    heap_.push_back({distance, n_added_++, reading});
    std::push_heap(heap_.begin(), heap_.end());
  }
  Entry take() {
    std::pop_heap(heap_.begin(), heap_.end());
    const Entry entry = heap_.back();
    heap_.pop_back();
    return entry;
  }

 private:
  bool is_new(const Reading& reading) {
    // Mostly there are few, and these are compared faster than hashed.
    constexpr std::size_t kFew = 16;
    if (std::find(few_.begin(), few_.end(), reading) != few_.end()) return false;
    if (few_.size() < kFew) {
      few_.push_back(reading);
      return true;
    }
    return many_.insert({reading.state, reading.n_counted, reading.frame}).second;
  }

  std::vector<Entry> heap_;
  std::vector<Reading> few_;
  std::unordered_set<Three, ThreeHash> many_;
  std::uint32_t n_added_ = 0;
  std::uint32_t most_ = kUnreachable;
};

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

bool ConstraintState::is_open(Effect effect, const Reading& reading) const {
  if (effect == Effect::kCount) return n_room(reading.state, reading.n_counted) > 0;
  if (effect == Effect::kEnough) return n_missing(reading.state, reading.n_counted) == 0;
  return true;
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

void ConstraintState::follow(const Reading& reading, Open& open) {
  const Machine& machine = constraint_->machine_;
  const grammar::Distances& distances = constraint_->distances_;
  const auto calls = machine.calls_of(reading.state);
  work_ += kFollowCost + kCallCost * calls.size();
  for (const Machine::Call& call : calls) {
    if (!is_open(call.effect, reading)) continue;
    const Reading behind = {
        call.to, reading.n_counted + (call.effect == Effect::kCount ? 1 : 0), reading.frame};
    const std::uint32_t left = distance(behind);
    const std::uint32_t called = distances.of_rule(call.rule);
    if (const std::uint32_t all = grammar::add_distances(called, left); open.takes(all)) {
      const std::uint32_t frame = frame_of(behind.state, behind.n_counted, behind.frame);
      open.add({machine.rules[call.rule].start, 0, frame}, all);
    }
    // Nobody has to go through what may be empty to come behind it: that can take long.
    if (called == 0) open.add(behind, left);
  }
  const bool may_return =
      distances.at(reading.state, n_missing(reading.state, reading.n_counted)) == 0;
  if (may_return && reading.frame != 0) {
    const Frame& frame = frames_[reading.frame];
    open.add({frame.state, frame.n_counted, frame.parent}, frame.distance);
  }
}

bool ConstraintState::expand(std::vector<Reading>& readings) {
  Open open;
  for (const Reading& reading : readings)
    open.add(reading, distance(reading));
  readings.clear();
  if (open.empty()) return false;
  // Nothing is left to be read exactly where the distance is 0. Then no way on is needed.
  const std::uint32_t nearest = open.nearest();
  bool has_nearest = nearest == 0;
  const std::uint64_t most_work = work_ + kMaxFollowWork;
  for (std::uint64_t n_followed = 0; !open.empty(); ++n_followed) {
    if (readings.size() >= kMaxReadings || n_followed >= kMaxFollowed || work_ >= most_work) {
      if (has_nearest || open.nearest() > nearest) break;
      open.set_most(nearest);
    }
    const Reading reading = open.take().reading;
    if (constraint_->machine_.states[reading.state].n_edges > 0) {
      readings.push_back(reading);
      if (!has_nearest && distance(reading) == nearest &&
          constraint_->distances_.reads_next(reading.state,
                                             n_missing(reading.state, reading.n_counted))) {
        has_nearest = true;
        std::swap(readings.front(), readings.back());
      }
    }
    follow(reading, open);
  }
  if (readings.size() > kMaxReadings) readings.resize(kMaxReadings);
  return nearest == 0;
}

bool ConstraintState::read(Reading& reading, std::uint8_t byte) const {
  const Machine::ByteEdge* edge = constraint_->machine_.edge(reading.state, byte);
  if (edge == nullptr || !is_open(edge->effect, reading)) return false;
  reading.state = edge->to;
  if (edge->effect == Effect::kCount) ++reading.n_counted;
  return true;
}

void ConstraintState::step(const std::vector<Reading>& from,
                           std::uint8_t byte,
                           std::vector<Reading>& to,
                           bool& may_end) {
  to.clear();
  for (Reading reading : from) {
    if (read(reading, byte)) to.push_back(reading);
  }
  work_ += to.size();
  may_end = expand(to);
}

std::uint32_t ConstraintState::n_needed() const {
  std::uint32_t least = may_end_ ? 0 : kUnreachable;
  for (const Reading& reading : readings_)
    least = std::min(least, distance(reading));
  return least;
}

std::vector<ConstraintState::Reading> ConstraintState::beyond(const Reading& exit) {
  std::vector<Reading> readings = {exit};
  expand(readings);
  // What goes on within the rule is known without.
  std::erase(readings, exit);
  return readings;
}

void ConstraintState::allow(std::uint32_t n_left, TokenMask& mask) {
  if (may_end_) {
    for (const TokenId token : constraint_->vocabulary_.end_of_generation())
      mask.allow(token);
  }
  if (n_left == 0) return;
  // Half of the work is for what lies within rules, half for what lies behind them. accept() counts
  // the latter alike, but never more of it.
  std::uint64_t work_within = 0;
  const std::uint64_t work_before = work_;
  for (const Reading& reading : readings_) {
    const std::uint32_t outside = frames_[reading.frame].distance;
    const std::uint32_t missing = n_missing(reading.state, reading.n_counted);
    const auto& local = constraint_->local_mask(
        reading.state, missing, n_room(reading.state, reading.n_counted), work_within);
    const std::int64_t most =
        std::int64_t{n_left} - 1 - outside - constraint_->distances_.at(reading.state, missing);
    for (const Constraint::Tier& tier : local.tiers) {
      if (tier.change > most) break;
      if (tier.many.size() > 0) mask.allow(tier.many);
      for (const TokenId token : tier.few)
        mask.allow(token);
      work_within += tier.few.size() + tier.many.size() / 64;
    }
    allow_behind(reading, local, n_left, work_before + kMostWork / 2, mask);
    if (work_within > kMostWork / 2) break;
  }
  work_ += work_within;
}

void ConstraintState::allow_behind(const Reading& reading,
                                   const Constraint::LocalMask& local,
                                   std::uint32_t n_left,
                                   std::uint64_t most,
                                   TokenMask& mask) {
  const TokenTrie& trie = constraint_->trie_;
  const auto nodes = trie.nodes();
  std::vector<Reading> readings;
  std::array<bool, 256> reads = {};
  const Constraint::Exit* last = nullptr;
  for (const Constraint::Exit& exit : local.exits) {
    if (work_ > most) return;
    ++work_;
    if (last == nullptr || exit.state != last->state || exit.n_counted != last->n_counted) {
      readings = beyond({exit.state, reading.n_counted + exit.n_counted, reading.frame});
      reads = {};
      for (const Reading& next : readings) {
        for (const Machine::ByteEdge& edge : constraint_->machine_.edges_of(next.state))
          std::fill(reads.begin() + edge.first, reads.begin() + edge.last + 1, true);
      }
      last = &exit;
    }
    if (readings.empty()) continue;
    for (TokenTrie::NodeIndex child = exit.node + 1; child < nodes[exit.node].end;
         child = nodes[child].end) {
      ++work_;
      if (reads[nodes[child].byte]) allow_below(child, readings, n_left, most, mask);
    }
  }
}

void ConstraintState::allow_below(TokenTrie::NodeIndex first,
                                  const std::vector<Reading>& readings,
                                  std::uint32_t n_left,
                                  std::uint64_t most,
                                  TokenMask& mask) {
  const TokenTrie& trie = constraint_->trie_;
  const auto nodes = trie.nodes();
  const std::size_t top = nodes[first].depth - std::size_t{1};
  std::vector<std::vector<Reading>> path(1, readings);
  for (TokenTrie::NodeIndex node = first; node < nodes[first].end;) {
    if (work_ > most) return;
    const std::size_t depth = nodes[node].depth - top;
    if (path.size() <= depth) path.resize(depth + 1);
    bool may_end = false;
    work_ += path[depth - 1].size();
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
  const std::string_view text = constraint_->trie_.text(token);
  if (text.empty()) return;
  std::vector<Reading> next;
  for (Reading reading : readings_) {
    const bool stays = std::all_of(text.begin(), text.end(), [&](char c) {
      return read(reading, static_cast<std::uint8_t>(c));
    });
    if (stays) next.push_back(reading);
  }
  bool may_end = false;
  const std::uint64_t most = work_ + kMostWork / 2;
  for (const Reading& reading : readings_) {
    if (accept_behind(reading, text, most, next)) may_end = true;
    if (work_ > most) break;
  }
  if (expand(next)) may_end = true;
  readings_ = std::move(next);
  may_end_ = may_end;
  if (frames_.size() > 2 * n_frames_kept_ + kMaxIdleFrames) forget_frames();
}

bool ConstraintState::accept_behind(const Reading& reading,
                                    std::string_view text,
                                    std::uint64_t most,
                                    std::vector<Reading>& next) {
  struct Exit {
    Reading at;
    std::size_t n_read;
  };
  std::vector<Exit> exits;
  Reading at = reading;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (!read(at, static_cast<std::uint8_t>(text[i])) || distance(at) >= kUnreachable) break;
    const Machine::State& state = constraint_->machine_.states[at.state];
    if (state.is_final || state.n_calls > 0) exits.push_back({at, i + 1});
  }
  // In the order of the exits of a mask, with the same steps from each.
  std::stable_sort(exits.begin(), exits.end(), [](const Exit& a, const Exit& b) {
    return std::tie(a.at.state, a.at.n_counted) < std::tie(b.at.state, b.at.n_counted);
  });
  bool may_end = false;
  std::vector<Reading> readings;
  std::vector<Reading> now;
  std::vector<Reading> then;
  for (std::size_t i = 0; i < exits.size(); ++i) {
    if (work_ > most) return may_end;
    if (i == 0 || !(exits[i].at == exits[i - 1].at)) readings = beyond(exits[i].at);
    now = readings;
    bool ends = false;
    std::size_t n_read = exits[i].n_read;
    for (; n_read < text.size() && !now.empty(); ++n_read) {
      if (work_ > most) return may_end;
      step(now, static_cast<std::uint8_t>(text[n_read]), then, ends);
      now.swap(then);
    }
    if (ends && n_read == text.size()) may_end = true;
    next.insert(next.end(), now.begin(), now.end());
  }
  return may_end;
}

void ConstraintState::forget_frames() {
  std::vector<bool> is_kept(frames_.size(), false);
  is_kept[0] = true;
  for (const Reading& reading : readings_)
    is_kept[reading.frame] = true;
  for (std::size_t i = frames_.size(); i-- > 1;) {
    if (is_kept[i]) is_kept[frames_[i].parent] = true;
  }
  std::vector<std::uint32_t> new_ids(frames_.size(), 0);
  std::vector<Frame> kept;
  frame_ids_.clear();
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    if (!is_kept[i]) continue;
    Frame frame = frames_[i];
    frame.parent = new_ids[frame.parent];
    new_ids[i] = static_cast<std::uint32_t>(kept.size());
    if (i > 0) frame_ids_.emplace(Three{frame.state, frame.n_counted, frame.parent}, new_ids[i]);
    kept.push_back(frame);
  }
  frames_ = std::move(kept);
  for (Reading& reading : readings_)
    reading.frame = new_ids[reading.frame];
  n_frames_kept_ = frames_.size();
}

}  // namespace kinglet::inference
