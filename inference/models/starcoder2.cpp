// StarCoder2: pre-norm decoder with layer norms, biases everywhere, and a plain GELU feed-forward.
//
// Converters leave the sliding window out of the file; all three models were trained with one of
// 4096, so that is what a file without the key means. A key of 0 switches it off.
#include "inference/models/architecture.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_epsilon", &H::norm_epsilon},
    {"attention.sliding_window", &H::sliding_window, Presence::kOptional},
};

constexpr TensorSpec kTensors[] = {
    tensors::kTokenEmbedding,  tensors::kOutputNorm,
    tensors::kOutputNormBias,  tensors::kOutput,
    tensors::kAttentionNorm,   tensors::kAttentionNormBias,
    tensors::kAttentionQuery,  tensors::optional(tensors::kAttentionQueryBias),
    tensors::kAttentionKey,    tensors::optional(tensors::kAttentionKeyBias),
    tensors::kAttentionValue,  tensors::optional(tensors::kAttentionValueBias),
    tensors::kAttentionOutput, tensors::optional(tensors::kAttentionOutputBias),
    tensors::kFeedForwardNorm, tensors::kFeedForwardNormBias,
    tensors::kFeedForwardUp,   tensors::optional(tensors::kFeedForwardUpBias),
    tensors::kFeedForwardDown, tensors::optional(tensors::kFeedForwardDownBias),
};

constexpr auto kNoWeight = std::nullopt;

constexpr Op kEmbed[] = {
    {OpKind::kEmbed, Role::kTokenEmbedding, Slot::kResidual, Slot::kResidual},
};

constexpr Op kLayer[] = {
    {OpKind::kLayerNorm,
     Role::kAttentionNorm,
     Slot::kResidual,
     Slot::kNormed,
     Role::kAttentionNormBias},
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
    {OpKind::kMatMul,
     Role::kAttentionOutput,
     Slot::kAttended,
     Slot::kProjected,
     Role::kAttentionOutputBias},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
    {OpKind::kLayerNorm,
     Role::kFeedForwardNorm,
     Slot::kResidual,
     Slot::kNormed,
     Role::kFeedForwardNormBias},
    {OpKind::kMatMul, Role::kFeedForwardUp, Slot::kNormed, Slot::kGated, Role::kFeedForwardUpBias},
    {OpKind::kGelu, kNoWeight, Slot::kGated, Slot::kGated},
    {OpKind::kMatMul,
     Role::kFeedForwardDown,
     Slot::kGated,
     Slot::kProjected,
     Role::kFeedForwardDownBias},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
};

constexpr Op kOutput[] = {
    {OpKind::kLayerNorm, Role::kOutputNorm, Slot::kResidual, Slot::kNormed, Role::kOutputNormBias},
    {OpKind::kMatMul, Role::kOutput, Slot::kNormed, Slot::kLogits},
};

}  // namespace

extern const Architecture kStarcoder2;
const Architecture kStarcoder2 = {
    .name = "starcoder2",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
    .defaults = {.sliding_window = 4096},
};

}  // namespace kinglet::inference
