// Qwen 3: as Qwen 2, but without biases; each head's query and key is normed before it is turned.
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
    tensors::kAttentionQueryNorm,
    tensors::kAttentionKey,
    tensors::kAttentionKeyNorm,
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
};

constexpr Op kLayer[] = {
    {OpKind::kRmsNorm, Role::kAttentionNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kAttentionQuery, Slot::kNormed, Slot::kQueries},
    {OpKind::kMatMul, Role::kAttentionKey, Slot::kNormed, Slot::kKeys},
    {OpKind::kMatMul, Role::kAttentionValue, Slot::kNormed, Slot::kValues},
    {OpKind::kHeadRmsNorm, Role::kAttentionQueryNorm, Slot::kQueries, Slot::kQueries},
    {OpKind::kHeadRmsNorm, Role::kAttentionKeyNorm, Slot::kKeys, Slot::kKeys},
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

extern const Architecture kQwen3;
const Architecture kQwen3 = {
    .name = "qwen3",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
};

}  // namespace kinglet::inference
