// Gemma and CodeGemma: pre-norm decoder with a GELU-gated feed-forward, heads wider than the
// embedding's share, an embedding scaled by the root of its length and tied to the output. The
// files' norm weights have their 1 added.
#include <cmath>

#include "inference/models/architecture.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
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
    tensors::kFeedForwardNorm,
    tensors::kFeedForwardGate,
    tensors::kFeedForwardUp,
    tensors::kFeedForwardDown,
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
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
    {OpKind::kRmsNorm, Role::kFeedForwardNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kFeedForwardGate, Slot::kNormed, Slot::kGate},
    {OpKind::kMatMul, Role::kFeedForwardUp, Slot::kNormed, Slot::kUp},
    {OpKind::kGeGlu, kNoWeight, Slot::kGateUp, Slot::kGated},
    {OpKind::kMatMul, Role::kFeedForwardDown, Slot::kGated, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
};

constexpr Op kOutput[] = {
    {OpKind::kRmsNorm, Role::kOutputNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kOutput, Slot::kNormed, Slot::kLogits},
};

void derive(HyperParameters& h) {
  h.embedding_scale = std::sqrt(static_cast<float>(h.n_embedding));
}

}  // namespace

extern const Architecture kGemma;
const Architecture kGemma = {
    .name = "gemma",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
    .derive = derive,
};

}  // namespace kinglet::inference
