// Qwen 3: as Qwen 2, but without biases; each head's query and key is normed before it is turned.
#include "inference/models/operations.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using namespace operations;
using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
};

constexpr auto kTensors = join<TensorSpec>(tensors::kEnds,
                                           tensors::kNorms,
                                           tensors::kSeparateQkv,
                                           tensors::kAttentionQueryNorm,
                                           tensors::kAttentionKeyNorm,
                                           tensors::kAttentionOutput,
                                           tensors::kGatedFeedForward);

constexpr auto kEmbed = join<Op>(kEmbedToken);

constexpr auto kLayer =
    join<Op>(rms_norm(Role::kAttentionNorm),
             separate_qkv(Biases::kNone),
             in_place(OpKind::kHeadRmsNorm, Slot::kQueries, Role::kAttentionQueryNorm),
             in_place(OpKind::kHeadRmsNorm, Slot::kKeys, Role::kAttentionKeyNorm),
             kRopeAndAttend,
             attention_output(Biases::kNone),
             kAddToResidual,
             rms_norm(Role::kFeedForwardNorm),
             separate_gate_up(Biases::kNone),
             gate(OpKind::kSwiGlu),
             feed_forward_down(Biases::kNone),
             kAddToResidual);

constexpr auto kOutput = join<Op>(rms_norm(Role::kOutputNorm), kToLogits);

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
