// Granite 3: the form of Llama with multipliers (muP): of the embedding, of scores, of what each
// half of a layer adds, and a divisor of the logits.
#include "inference/models/operations.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using namespace operations;
using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
    {"attention.scale", &H::attention_scale, Presence::kOptional},
    {"embedding_scale", &H::embedding_scale, Presence::kOptional},
    {"residual_scale", &H::residual_scale, Presence::kOptional},
    {"logit_scale", &H::logit_scale, Presence::kOptional, Reading::kReciprocal},
};

constexpr auto kEmbed = join<Op>(kEmbedToken, scale(Slot::kResidual, &H::embedding_scale));

constexpr auto kLayer = join<Op>(rms_norm(Role::kAttentionNorm),
                                 separate_qkv(Biases::kHas),
                                 kRopeAndAttend,
                                 attention_output(Biases::kHas),
                                 scale(Slot::kProjected, &H::residual_scale),
                                 kAddToResidual,
                                 rms_norm(Role::kFeedForwardNorm),
                                 separate_gate_up(Biases::kHas),
                                 gate(OpKind::kSwiGlu),
                                 feed_forward_down(Biases::kHas),
                                 scale(Slot::kProjected, &H::residual_scale),
                                 kAddToResidual);

constexpr auto kOutput =
    join<Op>(rms_norm(Role::kOutputNorm), kToLogits, scale(Slot::kLogits, &H::logit_scale));

}  // namespace

extern const Architecture kGranite;
const Architecture kGranite = {
    .name = "granite",
    .keys = kKeys,
    .tensors = tensors::kLlama,
    .rope_style = RopeStyle::kInterleaved,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
};

}  // namespace kinglet::inference
