#include "inference/fusion.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::all_architectures;
using inference::Architecture;
using inference::fuse;
using inference::fuse_nothing;
using inference::Group;
using inference::GroupKind;
using inference::HyperParameters;
using inference::Op;
using inference::OpKind;
using inference::Role;
using inference::Slot;
using inference::slots_of;
using inference::slots_read;
using inference::slots_written;
using inference::SlotSet;

namespace {

constexpr auto kNoWeight = std::nullopt;

HyperParameters hyper_parameters(bool with_scales) {
  HyperParameters h;
  if (with_scales) h.residual_scale = h.embedding_scale = h.logit_scale = 0.5F;
  if (with_scales) h.final_soft_cap = 30;
  return h;
}

std::string_view name_of(OpKind kind) {
  switch (kind) {
    case OpKind::kEmbed:
      return "embed";
    case OpKind::kRmsNorm:
      return "norm";
    case OpKind::kLayerNorm:
      return "layer_norm";
    case OpKind::kHeadRmsNorm:
      return "head_norm";
    case OpKind::kMatMul:
      return "product";
    case OpKind::kRope:
      return "rope";
    case OpKind::kStoreKv:
      return "store";
    case OpKind::kAttention:
      return "attention";
    case OpKind::kSwiGlu:
      return "swiglu";
    case OpKind::kGeGlu:
      return "geglu";
    case OpKind::kGelu:
      return "gelu";
    case OpKind::kAdd:
      return "add";
    case OpKind::kScale:
      return "scale";
    case OpKind::kSoftCap:
      return "soft_cap";
  }
  return "?";
}

/// "norm product product | attention": the groups of a list.
std::string text_of(const std::vector<Group>& groups) {
  std::string text;
  for (const Group& group : groups) {
    if (!text.empty()) text += " | ";
    for (std::size_t i = 0; i < group.ops.size(); ++i) {
      if (i > 0) text += ' ';
      text += name_of(group.ops[i].kind);
    }
  }
  return text;
}

std::string layer_of(std::string_view architecture, bool with_scales = false) {
  for (const Architecture* row : all_architectures()) {
    if (row->name == architecture) return text_of(fuse(row->layer, hyper_parameters(with_scales)));
  }
  return "no such architecture";
}

bool same(const Op& a, const Op& b) {
  return a.kind == b.kind && a.weight == b.weight && a.in == b.in && a.out == b.out &&
         a.bias == b.bias && a.scalar == b.scalar;
}

Op product(Role weight, Slot in, Slot out) {
  return {OpKind::kMatMul, weight, in, out};
}
constexpr Op kNorm = {OpKind::kRmsNorm, Role::kFeedForwardNorm, Slot::kResidual, Slot::kNormed};
constexpr Op kAdd = {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual};

std::string fused(const std::vector<Op>& ops) {
  return text_of(fuse(ops, hyper_parameters(true)));
}

}  // namespace

TEST_SUITE("inference/fusion") {
  TEST_CASE("each architecture's layer becomes the groups it was meant to") {
    const std::string qkv = "norm product product product | rope rope store | attention | ";
    const std::string swiglu = "product add | norm product product swiglu | product add";
    CHECK(layer_of("phi3") ==
          "norm product | rope rope store | attention | product add | norm product swiglu | "
          "product add");
    CHECK(layer_of("llama") == qkv + swiglu);
    CHECK(layer_of("qwen2") == qkv + swiglu);
    CHECK(layer_of("qwen3") ==
          "norm product product product | head_norm head_norm rope rope store | attention | " +
              swiglu);
    CHECK(layer_of("granite") == qkv + swiglu);
    CHECK(layer_of("granite", true) ==
          qkv + "product scale add | norm product product swiglu | product scale add");
    CHECK(layer_of("gemma") == qkv + "product add | norm product product geglu | product add");
    // What stands between a product and its addition stays by itself.
    CHECK(layer_of("gemma2") ==
          qkv + "product | norm | add | norm product product geglu | product | norm | add");
    CHECK(layer_of("starcoder2") ==
          "layer_norm | product product product | rope rope store | attention | product add | "
          "layer_norm | product | gelu | product add");
  }

  TEST_CASE("groups are the list's operations, in order, and leave what is read after them") {
    for (const Architecture* architecture : all_architectures()) {
      CAPTURE(architecture->name);
      for (const bool with_scales : {false, true}) {
        const HyperParameters h = hyper_parameters(with_scales);
        for (const auto list : {architecture->embed, architecture->layer, architecture->output}) {
          // One after the other they are what nothing fused is.
          std::vector<Op> ops;
          for (const Group& group : fuse(list, h)) {
            ops.insert(ops.end(), group.ops.begin(), group.ops.end());
          }
          const std::vector<Group> singles = fuse_nothing(list, h);
          REQUIRE(ops.size() == singles.size());
          for (std::size_t i = 0; i < ops.size(); ++i)
            CHECK(same(ops[i], singles[i].ops.front()));
          // Whatever a group reads is the residual or was left by a group before it.
          SlotSet there = slots_of(Slot::kResidual);
          for (const Group& group : fuse(list, h)) {
            CHECK((group.reads & ~there) == 0);
            there |= group.writes;
            for (const Op& op : group.ops)
              there &= ~(slots_written(op) & ~group.writes);
          }
        }
      }
    }
  }

  TEST_CASE("what others read is not left out") {
    const Op gate = product(Role::kFeedForwardGate, Slot::kNormed, Slot::kGate);
    const Op up = product(Role::kFeedForwardUp, Slot::kNormed, Slot::kUp);
    const Op unit = {OpKind::kSwiGlu, kNoWeight, Slot::kGateUp, Slot::kGated};
    const Op down = product(Role::kFeedForwardDown, Slot::kGated, Slot::kProjected);
    CHECK(fused({kNorm, gate, up, unit, down, kAdd}) ==
          "norm product product swiglu | product add");
    // Somebody wants the normed vectors, the gates, the projection.
    const Op late = product(Role::kAttentionOutput, Slot::kNormed, Slot::kProjected);
    CHECK(fused({kNorm, gate, up, unit, late}) == "norm | product product swiglu | product");
    const Op gelu = {OpKind::kGelu, kNoWeight, Slot::kGate, Slot::kGate};
    CHECK(fused({kNorm, gate, up, unit, gelu}) == "norm product product | swiglu | gelu");
    CHECK(fused({down, kAdd, kAdd}) == "product | add | add");
  }

  TEST_CASE("what does not work on what was made before it is no part of a group") {
    const Op gate = product(Role::kFeedForwardGate, Slot::kNormed, Slot::kGate);
    const Op up = product(Role::kFeedForwardUp, Slot::kNormed, Slot::kUp);
    const Op unit = {OpKind::kSwiGlu, kNoWeight, Slot::kGateUp, Slot::kGated};
    const Op query = product(Role::kAttentionQuery, Slot::kNormed, Slot::kQueries);
    // Ups before gates, half a unit, another product between.
    CHECK(fused({kNorm, up, gate, unit}) == "norm product product | swiglu");
    CHECK(fused({kNorm, gate, unit}) == "norm product | swiglu");
    CHECK(fused({kNorm, gate, query, unit}) == "norm product product | swiglu");
    // A product of something else than the norm's output.
    CHECK(fused({kNorm, product(Role::kFeedForwardDown, Slot::kGated, Slot::kProjected)}) ==
          "norm | product");
    // An addition of something else than the product.
    const Op other = {OpKind::kAdd, kNoWeight, Slot::kNormed, Slot::kResidual};
    CHECK(fused({query, other}) == "product | add");
    // Rows would be added to what other rows still multiply.
    const Op to_projected = product(Role::kAttentionOutput, Slot::kNormed, Slot::kProjected);
    CHECK(fused({kNorm, to_projected, kAdd}) == "norm product | add");
    // Two products to one place.
    CHECK(fused({query, query}) == "product | product");
    // Queries turned, keys not; and keys that somebody reads after they were stored.
    const Op turn_q = {OpKind::kRope, kNoWeight, Slot::kQueries, Slot::kQueries};
    const Op turn_k = {OpKind::kRope, kNoWeight, Slot::kKeys, Slot::kKeys};
    const Op store = {OpKind::kStoreKv, kNoWeight, Slot::kQkv, Slot::kQkv};
    const Op attend = {OpKind::kAttention, kNoWeight, Slot::kQueries, Slot::kAttended};
    CHECK(fused({turn_q, turn_q, store}) == "rope | rope | store");
    CHECK(fused({turn_q, turn_k, store, attend}) == "rope rope store | attention");
    const Op late = {OpKind::kGelu, kNoWeight, Slot::kValues, Slot::kValues};
    CHECK(fused({turn_q, turn_k, store, late}) == "rope | rope | store | gelu");
  }

  TEST_CASE("no list wants a slot that was not written before, but the residual") {
    for (const Architecture* architecture : all_architectures()) {
      CAPTURE(architecture->name);
      for (const auto list : {architecture->embed, architecture->layer, architecture->output}) {
        SlotSet there = slots_of(Slot::kResidual);
        for (const Op& op : list) {
          CHECK((slots_read(op) & ~there) == 0);
          there |= slots_written(op);
        }
      }
    }
  }
}

}  // namespace kinglet::test
