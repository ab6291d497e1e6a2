// Which operations of an architecture's lists are computed together. Most of what a step of
// decoding takes is not arithmetic but waiting for the operation before: so a norm is folded into
// the products that read it, what follows a product into the product's store, and all that happens
// to a head between its projection and the cache into one pass. What a group leaves out is written
// nowhere: it is checked that nobody reads it later.
//
// The table of patterns is in fusion.cpp. Nothing here computes: each backend lowers the groups as
// it can, at worst operation by operation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/models/architecture.h"

namespace kinglet::inference {

/// Slots that are no whole of others, a bit each.
using SlotSet = std::uint32_t;
/// A whole is the set of its parts.
SlotSet slots_of(Slot slot);
/// What an operation reads and writes besides the cache. In place is both.
SlotSet slots_read(const Op& op);
SlotSet slots_written(const Op& op);

enum class GroupKind : std::uint8_t {
  kSingle,  // one operation
  // Up to three matrices times the same vectors:
  //   [kRmsNorm] kMatMul{1,3} (kSwiGlu | kGeGlu)    products of all gates and all ups
  //   [kRmsNorm] kMatMul [kScale] kAdd              in += scale * product
  //   [kRmsNorm] kMatMul{1,3}                       one of them may be scaled
  // The norm's output, and of a unit or an addition what it is made of, are written nowhere.
  kProducts,
  // [kHeadRmsNorm] [kHeadRmsNorm] kRope kRope kStoreKv: the way of queries and keys, and of values
  // into the cache. Queries are there afterwards; keys and values may be left as they were.
  kRopeStore,
};

struct Group {
  GroupKind kind = GroupKind::kSingle;
  std::vector<Op> ops;  ///< in the list's order, without those that change nothing
  SlotSet reads = 0;    ///< what the group wants to find, of slots
  SlotSet writes = 0;   ///< what it leaves for others

  /// The group's first operation of a kind, or null.
  const Op* find(OpKind wanted) const;
  /// Its products, in order.
  std::span<const Op> products() const;
};

/// The groups of one of an architecture's lists, in order: computed one after the other they leave
/// in every slot that is read later what the operations would. REQUIRES of a list that slots other
/// than kResidual are written before they are read.
std::vector<Group> fuse(std::span<const Op> ops, const HyperParameters& hyper_parameters);

/// Every operation by itself, those that change nothing left out.
std::vector<Group> fuse_nothing(std::span<const Op> ops, const HyperParameters& hyper_parameters);

}  // namespace kinglet::inference
