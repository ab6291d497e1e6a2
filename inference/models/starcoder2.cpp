// StarCoder2: pre-norm decoder with layer norms, biases everywhere, and a plain GELU feed-forward.
//
// Converters leave the sliding window out of the file; all three models were trained with one of
// 4096, so that is what a file without the key means. A key of 0 switches it off.
#include "inference/models/operations.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using namespace operations;
using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_epsilon", &H::norm_epsilon},
    {"attention.sliding_window", &H::sliding_window, Presence::kOptional},
};

constexpr auto kTensors = join<TensorSpec>(tensors::kEnds,
                                           tensors::kOutputNormBias,
                                           tensors::kNorms,
                                           tensors::kNormBiases,
                                           tensors::kSeparateQkv,
                                           tensors::optional(tensors::kQkvBiases),
                                           tensors::kAttentionOutput,
                                           tensors::optional(tensors::kAttentionOutputBias),
                                           tensors::kFeedForwardUp,
                                           tensors::optional(tensors::kFeedForwardUpBias),
                                           tensors::kFeedForwardDown,
                                           tensors::optional(tensors::kFeedForwardDownBias));

constexpr auto kEmbed = join<Op>(kEmbedToken);

constexpr auto kLayer = join<Op>(
    layer_norm(Role::kAttentionNorm, Role::kAttentionNormBias),
    separate_qkv(Biases::kHas),
    kRopeAndAttend,
    attention_output(Biases::kHas),
    kAddToResidual,
    layer_norm(Role::kFeedForwardNorm, Role::kFeedForwardNormBias),
    mat_mul(
        Role::kFeedForwardUp, Slot::kNormed, Slot::kGated, Role::kFeedForwardUpBias, Biases::kHas),
    in_place(OpKind::kGelu, Slot::kGated),
    feed_forward_down(Biases::kHas),
    kAddToResidual);

constexpr auto kOutput = join<Op>(layer_norm(Role::kOutputNorm, Role::kOutputNormBias), kToLogits);

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
