// Qwen 2 and 2.5, with the Coder models: pre-norm decoder, grouped-query attention with biased
// queries, keys and values, SwiGLU.
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
    tensors::kAttentionQueryBias,
    tensors::kAttentionKey,
    tensors::kAttentionKeyBias,
    tensors::kAttentionValue,
    tensors::kAttentionValueBias,
    tensors::kAttentionOutput,
    tensors::kFeedForwardNorm,
    tensors::kFeedForwardGate,
    tensors::kFeedForwardUp,
    tensors::kFeedForwardDown,
};

constexpr auto kNoWeight = std::nullopt;

constexpr Op kEmbed[] = {
    {OpKind::kEmbed, Role::kTokenEmbedding, Slot::kResidual, Slot::kResidual},
};

constexpr Op kLayer[] = {
    {OpKind::kRmsNorm, Role::kAttentionNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul,
     Role::kAttentionQuery,
     Slot::kNormed,
     Slot::kQueries,
     Role::kAttentionQueryBias},
    {OpKind::kMatMul, Role::kAttentionKey, Slot::kNormed, Slot::kKeys, Role::kAttentionKeyBias},
    {OpKind::kMatMul,
     Role::kAttentionValue,
     Slot::kNormed,
     Slot::kValues,
     Role::kAttentionValueBias},
    {OpKind::kRope, kNoWeight, Slot::kQueries, Slot::kQueries},
    {OpKind::kRope, kNoWeight, Slot::kKeys, Slot::kKeys},
    {OpKind::kStoreKv, kNoWeight, Slot::kQkv, Slot::kQkv},
    {OpKind::kAttention, kNoWeight, Slot::kQueries, Slot::kAttended},
    {OpKind::kMatMul, Role::kAttentionOutput, Slot::kAttended, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
    {OpKind::kRmsNorm, Role::kFeedForwardNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kFeedForwardGate, Slot::kNormed, Slot::kGate},
    {OpKind::kMatMul, Role::kFeedForwardUp, Slot::kNormed, Slot::kUp},
    {OpKind::kSwiGlu, kNoWeight, Slot::kGateUp, Slot::kGated},
    {OpKind::kMatMul, Role::kFeedForwardDown, Slot::kGated, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
};

constexpr Op kOutput[] = {
    {OpKind::kRmsNorm, Role::kOutputNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kOutput, Slot::kNormed, Slot::kLogits},
};

}  // namespace

extern const Architecture kQwen2;
const Architecture kQwen2 = {
    .name = "qwen2",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
};

}  // namespace kinglet::inference
