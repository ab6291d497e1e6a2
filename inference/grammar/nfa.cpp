#include "inference/grammar/nfa.h"

#include <algorithm>
#include <array>
#include <string>

namespace kinglet::inference::grammar {
namespace {

using Bytes = std::array<std::uint8_t, 4>;

std::size_t utf8_length(std::uint32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

Bytes utf8_bytes(std::uint32_t code_point, std::size_t length) {
  static constexpr std::uint8_t kLead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  Bytes bytes = {};
  for (std::size_t i = length; i-- > 1; code_point >>= 6)
    bytes[i] = static_cast<std::uint8_t>(0x80 | (code_point & 0x3f));
  bytes[0] = static_cast<std::uint8_t>(kLead[length] | code_point);
  return bytes;
}

}  // namespace

StateId Nfa::literal(StateId from, std::string_view text) {
  for (const char c : text) {
    const StateId next = add_state();
    const auto byte = static_cast<std::uint8_t>(c);
    range(from, next, {byte, byte});
    from = next;
  }
  return from;
}

void Nfa::utf8(StateId from, StateId to, std::span<const Range> code_points, Effect effect) {
  // A range is cut until the ends of each part differ in a row of last bytes that run through all
  // their values: such a part is a product of byte ranges.
  std::vector<Range> parts(code_points.begin(), code_points.end());
  const auto cut = [&](Range part, std::uint32_t last) {
    parts.push_back({part.first, last});
    parts.push_back({last + 1, part.last});
  };
  while (!parts.empty()) {
    Range part = parts.back();
    parts.pop_back();
    if (part.first > part.last) continue;
    if (part.first <= 0xdfff && part.last >= 0xd800) {
      if (part.first < 0xd800) parts.push_back({part.first, 0xd7ff});
      if (part.last > 0xdfff) parts.push_back({0xe000, part.last});
      continue;
    }
    const std::size_t length = utf8_length(part.first);
    if (utf8_length(part.last) != length) {
      cut(part, length == 1 ? 0x7f : length == 2 ? 0x7ff : 0xffff);
      continue;
    }
    bool is_product = true;
    for (std::size_t n_low = 1; n_low < length && is_product; ++n_low) {
      const std::uint32_t low = (std::uint32_t{1} << (6 * n_low)) - 1;
      if ((part.first & ~low) == (part.last & ~low)) continue;
      if ((part.first & low) != 0) {
        cut(part, part.first | low);
        is_product = false;
      } else if ((part.last & low) != low) {
        cut(part, (part.last & ~low) - 1);
        is_product = false;
      }
    }
    if (!is_product) continue;
    const Bytes first = utf8_bytes(part.first, length);
    const Bytes last = utf8_bytes(part.last, length);
    StateId at = from;
    for (std::size_t i = 0; i < length; ++i) {
      const StateId next = i + 1 == length ? to : add_state();
      range(at, next, {first[i], last[i]}, i == 0 ? effect : Effect::kNone);
      at = next;
    }
  }
}

Fragment Nfa::copy(const Fragment& fragment) {
  const auto offset = static_cast<StateId>(states_.size()) - fragment.first;
  for (StateId state = fragment.first; state < fragment.behind; ++state) {
    std::vector<Edge> edges = states_[state];
    for (Edge& edge : edges)
      edge.to += offset;
    states_.push_back(std::move(edges));
  }
  return {fragment.start + offset,
          fragment.end + offset,
          fragment.first + offset,
          fragment.behind + offset};
}

Composer::Composer(Nfa& nfa, std::size_t max_states) : nfa_(nfa), max_states_(max_states) {
  push_group();
}

Result<void> Composer::check_size() const {
  if (nfa_.size() <= max_states_) return {};
  return fail(ErrorCode::kInvalidArgument,
              "it needs more than " + std::to_string(max_states_) + " states");
}

Fragment Composer::begin_item() {
  flush();
  const StateId start = nfa_.add_state();
  return {start, nfa_.add_state(), start, 0};
}

Result<void> Composer::end_item(Fragment item) {
  item.behind = static_cast<StateId>(nfa_.size());
  groups_.back().item = item;
  return check_size();
}

Result<void> Composer::repeat(std::uint32_t least, std::optional<std::uint32_t> most) {
  Fragment item = *groups_.back().item;
  const std::uint64_t n_copies = most.value_or(std::max(least, 1U));
  const std::uint64_t n_states = n_copies * (item.behind - item.first) + nfa_.size() + 2;
  if (n_states > max_states_) {
    return fail(ErrorCode::kInvalidArgument,
                "a repetition needs " + std::to_string(n_states) + " states; there may be " +
                    std::to_string(max_states_));
  }
  const Fragment original = item;
  Fragment whole = {nfa_.add_state(), nfa_.add_state(), item.first, 0};
  if (least == 0 || n_copies == 0) nfa_.epsilon(whole.start, whole.end);
  StateId at = whole.start;
  // Copies are made of the original before it gets edges that lead out of it.
  std::vector<Fragment> copies = {original};
  for (std::uint64_t i = 1; i < n_copies; ++i)
    copies.push_back(nfa_.copy(original));
  for (std::uint64_t i = 0; i < n_copies; ++i) {
    const Fragment& piece = copies[i];
    nfa_.epsilon(at, piece.start);
    at = piece.end;
    if (i + 1 >= least) nfa_.epsilon(at, whole.end);
    if (!most && i + 1 == n_copies) nfa_.epsilon(at, piece.start);
  }
  return end_item(whole);
}

Result<void> Composer::alternative() {
  flush();
  Group& group = groups_.back();
  nfa_.epsilon(group.cursor, group.fragment.end);
  group.cursor = nfa_.add_state();
  nfa_.epsilon(group.fragment.start, group.cursor);
  return check_size();
}

Result<void> Composer::open_group() {
  flush();
  push_group();
  return check_size();
}

void Composer::push_group() {
  const StateId start = nfa_.add_state();
  const StateId end = nfa_.add_state();
  const StateId cursor = nfa_.add_state();
  nfa_.epsilon(start, cursor);
  groups_.push_back({{start, end, start, 0}, cursor, std::nullopt});
}

bool Composer::close_group() {
  if (n_open() == 0) return false;
  const Fragment whole = [&] {
    flush();
    nfa_.epsilon(groups_.back().cursor, groups_.back().fragment.end);
    return groups_.back().fragment;
  }();
  groups_.pop_back();
  groups_.back().item = whole;
  groups_.back().item->behind = static_cast<StateId>(nfa_.size());
  return true;
}

Fragment Composer::finish() {
  flush();
  Group& group = groups_.back();
  nfa_.epsilon(group.cursor, group.fragment.end);
  group.fragment.behind = static_cast<StateId>(nfa_.size());
  return group.fragment;
}

void Composer::flush() {
  Group& group = groups_.back();
  if (!group.item) return;
  nfa_.epsilon(group.cursor, group.item->start);
  group.cursor = group.item->end;
  group.item.reset();
}

std::vector<Range> normalize(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](Range a, Range b) { return a.first < b.first; });
  std::vector<Range> merged;
  for (const Range range : ranges) {
    if (!merged.empty() && range.first <= std::uint64_t{merged.back().last} + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<Range> subtract(std::span<const Range> all, std::span<const Range> ranges) {
  std::vector<Range> left;
  for (const Range whole : all) {
    std::uint64_t next = whole.first;
    for (const Range range : ranges) {
      if (range.last < next || range.first > whole.last) continue;
      if (range.first > next) left.push_back({static_cast<std::uint32_t>(next), range.first - 1});
      next = std::uint64_t{range.last} + 1;
    }
    if (next <= whole.last) left.push_back({static_cast<std::uint32_t>(next), whole.last});
  }
  return left;
}

}  // namespace kinglet::inference::grammar
