#include "inference/models/architecture.h"

#include <cassert>

namespace kinglet::inference {

std::span<const KeySpec> common_keys() {
  using H = HyperParameters;
  constexpr auto kOptional = Presence::kOptional;
  static constexpr KeySpec kKeys[] = {
      {"block_count", &H::n_layers},
      {"embedding_length", &H::n_embedding},
      {"feed_forward_length", &H::n_feed_forward},
      {"context_length", &H::context_length},
      {"attention.head_count", &H::n_heads},
      {"attention.head_count_kv", &H::n_kv_heads, kOptional},
      {"attention.key_length", &H::head_dim, kOptional},
      {"rope.dimension_count", &H::rope_dims, kOptional},
      {"rope.freq_base", &H::rope_freq_base, kOptional},
      {"rope.scale_linear", &H::rope_scaling_factor, kOptional},  // what old files call the next
      {"rope.scaling.factor", &H::rope_scaling_factor, kOptional},
      {"rope.scaling.original_context_length", &H::rope_original_context, kOptional},
      {"rope.scaling.attn_factor", &H::rope_attention_factor, kOptional},
      {"rope.scaling.yarn_beta_fast", &H::rope_yarn_beta_fast, kOptional},
      {"rope.scaling.yarn_beta_slow", &H::rope_yarn_beta_slow, kOptional},
  };
  return kKeys;
}

std::uint32_t window_of(const HyperParameters& hyper_parameters, std::uint32_t layer) {
  const std::uint32_t period = hyper_parameters.sliding_window_period;
  const bool is_windowed = period <= 1 || layer % period < period - 1;
  return is_windowed ? hyper_parameters.sliding_window : 0;
}

bool is_identity(const Op& op, const HyperParameters& hyper_parameters) {
  switch (op.kind) {
    case OpKind::kScale:
      return hyper_parameters.*op.scalar == 1.0F;
    case OpKind::kSoftCap:
      return hyper_parameters.*op.scalar == 0.0F;
    default:
      return false;
  }
}

std::uint32_t size_of(Dim dim, const HyperParameters& hyper_parameters) {
  const HyperParameters& h = hyper_parameters;
  switch (dim) {
    case Dim::kNone:
      return 1;
    case Dim::kEmbedding:
      return h.n_embedding;
    case Dim::kHead:
      return h.head_dim;
    case Dim::kQuery:
      return h.n_heads * h.head_dim;
    case Dim::kKeyValue:
      return h.n_kv_heads * h.head_dim;
    case Dim::kQkv:
      return (h.n_heads + 2 * h.n_kv_heads) * h.head_dim;
    case Dim::kFeedForward:
      return h.n_feed_forward;
    case Dim::kGateUp:
      return 2 * h.n_feed_forward;
    case Dim::kVocabulary:
      return h.n_vocabulary;
    case Dim::kRopeHalf:
      return h.rope_dims / 2;
  }
  assert(false);
  return 0;
}

SlotPlace place_of(Slot slot, const HyperParameters& hyper_parameters) {
  const auto size = [&](Dim dim) { return size_of(dim, hyper_parameters); };
  switch (slot) {
    case Slot::kResidual:
    case Slot::kNormed:
    case Slot::kProjected:
      return {slot, 0, size(Dim::kEmbedding)};
    case Slot::kQkv:
      return {slot, 0, size(Dim::kQkv)};
    case Slot::kQueries:
      return {Slot::kQkv, 0, size(Dim::kQuery)};
    case Slot::kKeys:
      return {Slot::kQkv, size(Dim::kQuery), size(Dim::kKeyValue)};
    case Slot::kValues:
      return {Slot::kQkv, size(Dim::kQuery) + size(Dim::kKeyValue), size(Dim::kKeyValue)};
    case Slot::kAttended:
      return {slot, 0, size(Dim::kQuery)};
    case Slot::kGateUp:
      return {slot, 0, size(Dim::kGateUp)};
    case Slot::kGate:
      return {Slot::kGateUp, 0, size(Dim::kFeedForward)};
    case Slot::kUp:
      return {Slot::kGateUp, size(Dim::kFeedForward), size(Dim::kFeedForward)};
    case Slot::kGated:
      return {slot, 0, size(Dim::kFeedForward)};
    case Slot::kLogits:
      return {slot, 0, size(Dim::kVocabulary)};
  }
  assert(false);
  return {slot, 0, 0};
}

}  // namespace kinglet::inference
