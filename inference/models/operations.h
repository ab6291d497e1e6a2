// The operations that architectures share: what a layer is made of, in the field's own parts. An
// architecture's file says in which order, and what is between them.
#pragma once

#include <array>
#include <optional>

#include "inference/models/architecture.h"
#include "inference/models/join.h"

namespace kinglet::inference::operations {

inline constexpr auto kNoWeight = std::nullopt;

/// Whether the architecture has biases; whether a file has them, its tensors say.
enum class Biases : std::uint8_t { kNone, kHas };

constexpr Op mat_mul(Role weight, Slot in, Slot out) {
  return {OpKind::kMatMul, weight, in, out};
}
constexpr Op mat_mul(Role weight, Slot in, Slot out, Role bias, Biases biases) {
  return {
      OpKind::kMatMul, weight, in, out, biases == Biases::kHas ? std::optional(bias) : kNoWeight};
}

constexpr Op in_place(OpKind kind, Slot slot, std::optional<Role> weight = kNoWeight) {
  return {kind, weight, slot, slot};
}
constexpr Op scale(Slot slot, float HyperParameters::*factor) {
  return {OpKind::kScale, kNoWeight, slot, slot, std::nullopt, factor};
}
constexpr Op soft_cap(Slot slot, float HyperParameters::*cap) {
  return {OpKind::kSoftCap, kNoWeight, slot, slot, std::nullopt, cap};
}

/// Norms of what each half of a layer, and the output, begin with.
constexpr Op rms_norm(Role weight) {
  return {OpKind::kRmsNorm, weight, Slot::kResidual, Slot::kNormed};
}
constexpr Op layer_norm(Role weight, Role bias) {
  return {OpKind::kLayerNorm, weight, Slot::kResidual, Slot::kNormed, bias};
}

/// What each half of a layer ends with.
inline constexpr Op kAddToResidual = {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual};

inline constexpr Op kEmbedToken = {
    OpKind::kEmbed, Role::kTokenEmbedding, Slot::kResidual, Slot::kResidual};
inline constexpr Op kToLogits = mat_mul(Role::kOutput, Slot::kNormed, Slot::kLogits);

/// Queries, keys and values by a matrix each.
constexpr std::array<Op, 3> separate_qkv(Biases biases) {
  using R = Role;
  return {
      mat_mul(R::kAttentionQuery, Slot::kNormed, Slot::kQueries, R::kAttentionQueryBias, biases),
      mat_mul(R::kAttentionKey, Slot::kNormed, Slot::kKeys, R::kAttentionKeyBias, biases),
      mat_mul(R::kAttentionValue, Slot::kNormed, Slot::kValues, R::kAttentionValueBias, biases)};
}

/// From queries, keys and values to what was attended to.
inline constexpr std::array kRopeAndAttend = {
    in_place(OpKind::kRope, Slot::kQueries),
    in_place(OpKind::kRope, Slot::kKeys),
    in_place(OpKind::kStoreKv, Slot::kQkv),
    Op{OpKind::kAttention, kNoWeight, Slot::kQueries, Slot::kAttended},
};

constexpr Op attention_output(Biases biases) {
  return mat_mul(Role::kAttentionOutput,
                 Slot::kAttended,
                 Slot::kProjected,
                 Role::kAttentionOutputBias,
                 biases);
}

/// Gate and up by a matrix each.
constexpr std::array<Op, 2> separate_gate_up(Biases biases) {
  using R = Role;
  return {mat_mul(R::kFeedForwardGate, Slot::kNormed, Slot::kGate, R::kFeedForwardGateBias, biases),
          mat_mul(R::kFeedForwardUp, Slot::kNormed, Slot::kUp, R::kFeedForwardUpBias, biases)};
}

/// kSwiGlu or kGeGlu.
constexpr Op gate(OpKind kind) {
  return {kind, kNoWeight, Slot::kGateUp, Slot::kGated};
}

constexpr Op feed_forward_down(Biases biases) {
  return mat_mul(
      Role::kFeedForwardDown, Slot::kGated, Slot::kProjected, Role::kFeedForwardDownBias, biases);
}

}  // namespace kinglet::inference::operations
