// Llama 2 and 3, and who took their form: Mistral, DeepSeek-Coder, SmolLM, Granite Code. Pre-norm
// decoder, grouped-query attention, SwiGLU, biases in some. The files' queries and keys are
// permuted so that rope turns neighbours.
//
// Converters leave Mistral's sliding window out of the file; it counts where a file says it.
#include "inference/models/architecture.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
    {"attention.sliding_window", &H::sliding_window, Presence::kOptional},
};

constexpr TensorSpec kTensors[] = {
    tensors::kTokenEmbedding,
    tensors::kOutputNorm,
    tensors::kOutput,
    tensors::kRopeFactors,
    tensors::kAttentionNorm,
    tensors::kAttentionQuery,
    tensors::optional(tensors::kAttentionQueryBias),
    tensors::kAttentionKey,
    tensors::optional(tensors::kAttentionKeyBias),
    tensors::kAttentionValue,
    tensors::optional(tensors::kAttentionValueBias),
    tensors::kAttentionOutput,
    tensors::optional(tensors::kAttentionOutputBias),
    tensors::kFeedForwardNorm,
    tensors::kFeedForwardGate,
    tensors::optional(tensors::kFeedForwardGateBias),
    tensors::kFeedForwardUp,
    tensors::optional(tensors::kFeedForwardUpBias),
    tensors::kFeedForwardDown,
    tensors::optional(tensors::kFeedForwardDownBias),
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
    {OpKind::kMatMul,
     Role::kAttentionOutput,
     Slot::kAttended,
     Slot::kProjected,
     Role::kAttentionOutputBias},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
    {OpKind::kRmsNorm, Role::kFeedForwardNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul,
     Role::kFeedForwardGate,
     Slot::kNormed,
     Slot::kGate,
     Role::kFeedForwardGateBias},
    {OpKind::kMatMul, Role::kFeedForwardUp, Slot::kNormed, Slot::kUp, Role::kFeedForwardUpBias},
    {OpKind::kSwiGlu, kNoWeight, Slot::kGateUp, Slot::kGated},
    {OpKind::kMatMul,
     Role::kFeedForwardDown,
     Slot::kGated,
     Slot::kProjected,
     Role::kFeedForwardDownBias},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
};

constexpr Op kOutput[] = {
    {OpKind::kRmsNorm, Role::kOutputNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kOutput, Slot::kNormed, Slot::kLogits},
};

}  // namespace

extern const Architecture kLlama;
const Architecture kLlama = {
    .name = "llama",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kInterleaved,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
};

}  // namespace kinglet::inference
