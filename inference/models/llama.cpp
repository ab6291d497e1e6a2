// Llama 2 and 3, and who took their form: Mistral, DeepSeek-Coder, SmolLM, Granite Code. Pre-norm
// decoder, grouped-query attention, SwiGLU, biases in some. The files' queries and keys are
// permuted so that rope turns neighbours.
//
// Converters leave Mistral's sliding window out of the file; it counts where a file says it.
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

constexpr auto kEmbed = join<Op>(kEmbedToken);

constexpr auto kLayer = join<Op>(rms_norm(Role::kAttentionNorm),
                                 separate_qkv(Biases::kHas),
                                 kRopeAndAttend,
                                 attention_output(Biases::kHas),
                                 kAddToResidual,
                                 rms_norm(Role::kFeedForwardNorm),
                                 separate_gate_up(Biases::kHas),
                                 gate(OpKind::kSwiGlu),
                                 feed_forward_down(Biases::kHas),
                                 kAddToResidual);

constexpr auto kOutput = join<Op>(rms_norm(Role::kOutputNorm), kToLogits);

}  // namespace

extern const Architecture kLlama;
const Architecture kLlama = {
    .name = "llama",
    .keys = kKeys,
    .tensors = tensors::kLlama,
    .rope_style = RopeStyle::kInterleaved,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
};

}  // namespace kinglet::inference
