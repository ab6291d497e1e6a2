// Gemma 2: norms before and after each half of a layer, GELU-gated feed-forward, soft caps on
// scores and logits; every second layer sees all positions, the others a window. The embedding is
// scaled by the root of its length and tied to the output. The files' norm weights have their 1
// added.
#include <cmath>

#include "inference/models/architecture.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
    {"attention.sliding_window", &H::sliding_window, Presence::kOptional},
    {"attn_logit_softcapping", &H::attention_soft_cap, Presence::kOptional},
    {"final_logit_softcapping", &H::final_soft_cap, Presence::kOptional},
};

constexpr TensorSpec kTensors[] = {
    tensors::kTokenEmbedding,
    tensors::kOutputNorm,
    tensors::kOutput,
    tensors::kAttentionNorm,
    tensors::kAttentionQuery,
    tensors::kAttentionKey,
    tensors::kAttentionValue,
    tensors::kAttentionOutput,
    tensors::kAttentionPostNorm,
    tensors::kFeedForwardNorm,
    tensors::kFeedForwardGate,
    tensors::kFeedForwardUp,
    tensors::kFeedForwardDown,
    tensors::kFeedForwardPostNorm,
};

constexpr auto kNoWeight = std::nullopt;

constexpr Op kEmbed[] = {
    {OpKind::kEmbed, Role::kTokenEmbedding, Slot::kResidual, Slot::kResidual},
    {OpKind::kScale,
     kNoWeight,
     Slot::kResidual,
     Slot::kResidual,
     std::nullopt,
     &H::embedding_scale},
};

constexpr Op kLayer[] = {
    {OpKind::kRmsNorm, Role::kAttentionNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kAttentionQuery, Slot::kNormed, Slot::kQueries},
    {OpKind::kMatMul, Role::kAttentionKey, Slot::kNormed, Slot::kKeys},
    {OpKind::kMatMul, Role::kAttentionValue, Slot::kNormed, Slot::kValues},
    {OpKind::kRope, kNoWeight, Slot::kQueries, Slot::kQueries},
    {OpKind::kRope, kNoWeight, Slot::kKeys, Slot::kKeys},
    {OpKind::kStoreKv, kNoWeight, Slot::kQkv, Slot::kQkv},
    {OpKind::kAttention, kNoWeight, Slot::kQueries, Slot::kAttended},
    {OpKind::kMatMul, Role::kAttentionOutput, Slot::kAttended, Slot::kProjected},
    {OpKind::kRmsNorm, Role::kAttentionPostNorm, Slot::kProjected, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
    {OpKind::kRmsNorm, Role::kFeedForwardNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kFeedForwardGate, Slot::kNormed, Slot::kGate},
    {OpKind::kMatMul, Role::kFeedForwardUp, Slot::kNormed, Slot::kUp},
    {OpKind::kGeGlu, kNoWeight, Slot::kGateUp, Slot::kGated},
    {OpKind::kMatMul, Role::kFeedForwardDown, Slot::kGated, Slot::kProjected},
    {OpKind::kRmsNorm, Role::kFeedForwardPostNorm, Slot::kProjected, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
};

constexpr Op kOutput[] = {
    {OpKind::kRmsNorm, Role::kOutputNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kOutput, Slot::kNormed, Slot::kLogits},
    {OpKind::kSoftCap, kNoWeight, Slot::kLogits, Slot::kLogits, std::nullopt, &H::final_soft_cap},
};

constexpr HyperParameters defaults() {
  HyperParameters h;
  h.sliding_window = 4096;
  h.sliding_window_period = 2;
  h.attention_soft_cap = 50.0F;
  h.final_soft_cap = 30.0F;
  return h;
}

void derive(HyperParameters& h) {
  h.embedding_scale = std::sqrt(static_cast<float>(h.n_embedding));
  // The 27B model alone scales queries by the embedding's share of a head, not by the head's size;
  // its number of layers is what tells it.
  constexpr std::uint32_t kLayersOf27B = 46;
  if (h.n_layers == kLayersOf27B && h.n_embedding >= h.n_heads && h.n_heads != 0) {
    const std::uint32_t share = h.n_embedding / h.n_heads;
    h.attention_scale = 1.0F / std::sqrt(static_cast<float>(share));
  }
}

}  // namespace

extern const Architecture kGemma2;
const Architecture kGemma2 = {
    .name = "gemma2",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
    .defaults = defaults(),
    .derive = derive,
};

}  // namespace kinglet::inference
