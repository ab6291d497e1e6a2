#include "inference/fusion.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace kinglet::inference {

namespace {

/// `least` to `most` operations of a kind, one after the other.
struct Step {
  OpKind kind;
  std::uint8_t least = 1;
  std::uint8_t most = 1;
};

struct Pattern {
  GroupKind kind;
  std::span<const Step> steps;
};

constexpr Step kSwiGluUnit[] = {{OpKind::kRmsNorm, 0}, {OpKind::kMatMul, 1, 2}, {OpKind::kSwiGlu}};
constexpr Step kGeGluUnit[] = {{OpKind::kRmsNorm, 0}, {OpKind::kMatMul, 1, 2}, {OpKind::kGeGlu}};
constexpr Step kAddedProduct[] = {
    {OpKind::kRmsNorm, 0}, {OpKind::kMatMul}, {OpKind::kScale, 0}, {OpKind::kAdd}};
constexpr Step kScaledProduct[] = {{OpKind::kRmsNorm, 0}, {OpKind::kMatMul}, {OpKind::kScale}};
constexpr Step kPlainProducts[] = {{OpKind::kRmsNorm, 0}, {OpKind::kMatMul, 1, 3}};
constexpr Step kHeads[] = {{OpKind::kHeadRmsNorm, 0, 2}, {OpKind::kRope, 2, 2}, {OpKind::kStoreKv}};

// The first that fits is taken: the longer ones stand before those they contain.
constexpr Pattern kPatterns[] = {
    {GroupKind::kProducts, kSwiGluUnit},
    {GroupKind::kProducts, kGeGluUnit},
    {GroupKind::kProducts, kAddedProduct},
    {GroupKind::kProducts, kScaledProduct},
    {GroupKind::kProducts, kPlainProducts},
    {GroupKind::kRopeStore, kHeads},
};

bool is_in_place(OpKind kind) {
  return kind == OpKind::kHeadRmsNorm || kind == OpKind::kRope || kind == OpKind::kGelu ||
         kind == OpKind::kScale || kind == OpKind::kSoftCap;
}

/// Whether `slots` are read by these operations before they are written, or by whoever comes after
/// the list.
bool is_read(SlotSet slots, std::span<const Op> ops) {
  for (const Op& op : ops) {
    if ((slots_read(op) & slots) != 0) return true;
    slots &= ~slots_written(op);
  }
  return (slots & slots_of(Slot::kResidual)) != 0;
}

/// How many of the operations the steps take; 0: they do not match.
std::size_t match(std::span<const Step> steps, std::span<const Op> ops) {
  std::size_t n = 0;
  for (const Step& step : steps) {
    const std::size_t first = n;
    while (n < ops.size() && n - first < step.most && ops[n].kind == step.kind) {
      // Products belong together when they multiply the same.
      if (step.kind == OpKind::kMatMul && n > first && ops[n].in != ops[first].in) break;
      ++n;
    }
    if (n - first < step.least) return 0;
  }
  return n;
}

/// Whether each operation of a kProducts group works on what the one before it made, and on all of
/// that. `inner` becomes what only the group sees.
bool flows(const Group& group, SlotSet& inner) {
  const Op* norm = group.find(OpKind::kRmsNorm);
  const std::span<const Op> products = group.products();
  const Slot input = norm != nullptr ? norm->in : products.front().in;
  if (norm != nullptr) {
    if (products.front().in != norm->out) return false;
    inner |= slots_of(norm->out);
  }
  SlotSet made = 0;
  for (const Op& product : products) {
    if ((made & slots_of(product.out)) != 0) return false;
    made |= slots_of(product.out);
  }
  for (const OpKind unit : {OpKind::kSwiGlu, OpKind::kGeGlu}) {
    const Op* gated = group.find(unit);
    if (gated == nullptr) continue;
    // All gates come before all ups, in one matrix or in two.
    if (made != slots_of(gated->in) || (products.size() == 2 && products[0].out != Slot::kGate)) {
      return false;
    }
    inner |= made;
  }
  const Op* scale = group.find(OpKind::kScale);
  if (scale != nullptr && slots_of(scale->out) != made) return false;
  if (const Op* add = group.find(OpKind::kAdd)) {
    if (slots_of(add->in) != made) return false;
    inner |= made;
  }
  // One row is stored while others are still computed: the input must not be what is stored.
  return (slots_of(input) & group.writes & ~inner) == 0;
}

/// Whether the group does to queries and keys the same things in the same order.
bool turns_queries_and_keys(const Group& group) {
  SlotSet normed = 0;
  SlotSet turned = 0;
  for (const Op& op : group.ops) {
    if (op.kind == OpKind::kHeadRmsNorm) normed |= slots_of(op.out);
    if (op.kind == OpKind::kRope) turned |= slots_of(op.out);
  }
  const SlotSet both = slots_of(Slot::kQueries) | slots_of(Slot::kKeys);
  return turned == both && (normed == 0 || normed == both);
}

void note_accesses(Group& group) {
  for (const Op& op : group.ops) {
    group.reads |= slots_read(op) & ~group.writes;
    group.writes |= slots_written(op);
  }
}

/// A group of the first operations, as the pattern has it; `rest` comes after them.
std::optional<Group> take(const Pattern& pattern, std::span<const Op> ops) {
  const std::size_t n = match(pattern.steps, ops);
  if (n == 0) return std::nullopt;
  Group group = {pattern.kind, {ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(n)}};
  note_accesses(group);
  const std::span<const Op> rest = ops.subspan(n);
  if (pattern.kind == GroupKind::kRopeStore) {
    const SlotSet stored = slots_of(Slot::kKeys) | slots_of(Slot::kValues);
    if (!turns_queries_and_keys(group) || is_read(stored, rest)) return std::nullopt;
    group.writes &= ~stored;
    return group;
  }
  SlotSet inner = 0;
  if (!flows(group, inner) || is_read(inner, rest)) return std::nullopt;
  group.writes &= ~inner;
  return group;
}

std::vector<Op> that_change_something(std::span<const Op> ops, const HyperParameters& h) {
  std::vector<Op> result;
  std::copy_if(ops.begin(), ops.end(), std::back_inserter(result), [&](const Op& op) {
    return !is_identity(op, h);
  });
  return result;
}

Group single(const Op& op) {
  Group group = {GroupKind::kSingle, {op}};
  note_accesses(group);
  return group;
}

}  // namespace

SlotSet slots_of(Slot slot) {
  switch (slot) {
    case Slot::kQkv:
      return slots_of(Slot::kQueries) | slots_of(Slot::kKeys) | slots_of(Slot::kValues);
    case Slot::kGateUp:
      return slots_of(Slot::kGate) | slots_of(Slot::kUp);
    default:
      static_assert(kSlotCount <= 32);
      return SlotSet{1} << static_cast<unsigned>(slot);
  }
}

SlotSet slots_read(const Op& op) {
  if (op.kind == OpKind::kEmbed) return 0;
  if (op.kind == OpKind::kStoreKv) return slots_of(Slot::kKeys) | slots_of(Slot::kValues);
  if (op.kind == OpKind::kAdd) return slots_of(op.in) | slots_of(op.out);
  assert(!is_in_place(op.kind) || op.in == op.out);
  return slots_of(op.in);
}

SlotSet slots_written(const Op& op) {
  return op.kind == OpKind::kStoreKv ? 0 : slots_of(op.out);
}

const Op* Group::find(OpKind wanted) const {
  const auto found =
      std::find_if(ops.begin(), ops.end(), [&](const Op& op) { return op.kind == wanted; });
  return found != ops.end() ? &*found : nullptr;
}

std::span<const Op> Group::products() const {
  const auto is_product = [](const Op& op) { return op.kind == OpKind::kMatMul; };
  const auto begin = std::find_if(ops.begin(), ops.end(), is_product);
  return {begin, std::find_if_not(begin, ops.end(), is_product)};
}

std::vector<Group> fuse(std::span<const Op> ops, const HyperParameters& hyper_parameters) {
  const std::vector<Op> all = that_change_something(ops, hyper_parameters);
  std::vector<Group> groups;
  for (std::span<const Op> left = all; !left.empty();) {
    std::optional<Group> group;
    for (const Pattern& pattern : kPatterns) {
      group = take(pattern, left);
      if (group) break;
    }
    groups.push_back(group ? std::move(*group) : single(left.front()));
    left = left.subspan(groups.back().ops.size());
  }
  return groups;
}

std::vector<Group> fuse_nothing(std::span<const Op> ops, const HyperParameters& hyper_parameters) {
  std::vector<Group> groups;
  for (const Op& op : that_change_something(ops, hyper_parameters))
    groups.push_back(single(op));
  return groups;
}

}  // namespace kinglet::inference
