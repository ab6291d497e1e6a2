// Phi-3, Phi-3.5 and Phi-4-mini: pre-norm decoder with fused QKV and gate/up projections,
// grouped-query attention, partial NEOX rope with long and short factors (LongRoPE), SwiGLU.
#include "inference/models/operations.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using namespace operations;
using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
    {"attention.sliding_window", &H::sliding_window, Presence::kOptional},
};

constexpr auto kTensors = join<TensorSpec>(tensors::kEnds,
                                           tensors::kRopeFactorsLong,
                                           tensors::kRopeFactorsShort,
                                           tensors::kNorms,
                                           tensors::kAttentionQkv,
                                           tensors::kAttentionOutput,
                                           tensors::kFeedForwardGateUp,
                                           tensors::kFeedForwardDown);

constexpr auto kEmbed = join<Op>(kEmbedToken);

constexpr auto kLayer = join<Op>(rms_norm(Role::kAttentionNorm),
                                 mat_mul(Role::kAttentionQkv, Slot::kNormed, Slot::kQkv),
                                 kRopeAndAttend,
                                 attention_output(Biases::kNone),
                                 kAddToResidual,
                                 rms_norm(Role::kFeedForwardNorm),
                                 mat_mul(Role::kFeedForwardGateUp, Slot::kNormed, Slot::kGateUp),
                                 gate(OpKind::kSwiGlu),
                                 feed_forward_down(Biases::kNone),
                                 kAddToResidual);

constexpr auto kOutput = join<Op>(rms_norm(Role::kOutputNorm), kToLogits);

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
