// Phi-3, Phi-3.5 and Phi-4-mini: pre-norm decoder with fused QKV and gate/up projections,
// grouped-query attention, partial NEOX rope with long and short factors (LongRoPE), SwiGLU.
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
    tensors::kRopeFactorsLong,
    tensors::kRopeFactorsShort,
    tensors::kAttentionNorm,
    tensors::kAttentionQkv,
    tensors::kAttentionOutput,
    tensors::kFeedForwardNorm,
    tensors::kFeedForwardGateUp,
    tensors::kFeedForwardDown,
};

constexpr auto kNoWeight = std::nullopt;

constexpr Op kEmbed[] = {
    {OpKind::kEmbed, Role::kTokenEmbedding, Slot::kResidual, Slot::kResidual},
};

constexpr Op kLayer[] = {
    {OpKind::kRmsNorm, Role::kAttentionNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kAttentionQkv, Slot::kNormed, Slot::kQkv},
    {OpKind::kRope, kNoWeight, Slot::kQueries, Slot::kQueries},
    {OpKind::kRope, kNoWeight, Slot::kKeys, Slot::kKeys},
    {OpKind::kStoreKv, kNoWeight, Slot::kQkv, Slot::kQkv},
    {OpKind::kAttention, kNoWeight, Slot::kQueries, Slot::kAttended},
    {OpKind::kMatMul, Role::kAttentionOutput, Slot::kAttended, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
    {OpKind::kRmsNorm, Role::kFeedForwardNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kFeedForwardGateUp, Slot::kNormed, Slot::kGateUp},
    {OpKind::kSwiGlu, kNoWeight, Slot::kGateUp, Slot::kGated},
    {OpKind::kMatMul, Role::kFeedForwardDown, Slot::kGated, Slot::kProjected},
    {OpKind::kAdd, kNoWeight, Slot::kProjected, Slot::kResidual},
};

constexpr Op kOutput[] = {
    {OpKind::kRmsNorm, Role::kOutputNorm, Slot::kResidual, Slot::kNormed},
    {OpKind::kMatMul, Role::kOutput, Slot::kNormed, Slot::kLogits},
};

}  // namespace

extern const Architecture kPhi3;
const Architecture kPhi3 = {
    .name = "phi3",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
};

}  // namespace kinglet::inference
