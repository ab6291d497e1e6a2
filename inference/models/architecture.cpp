#include "inference/models/architecture.h"

#include <cassert>

namespace kinglet::inference {

std::uint32_t size_of(Dim dim, const HyperParameters& hyper_parameters) {
  const HyperParameters& h = hyper_parameters;
  switch (dim) {
    case Dim::kNone:
      return 1;
    case Dim::kEmbedding:
      return h.n_embedding;
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
