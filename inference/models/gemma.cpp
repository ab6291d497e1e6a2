// Gemma and CodeGemma: pre-norm decoder with a GELU-gated feed-forward, heads wider than the
// embedding's share, an embedding scaled by the root of its length and tied to the output. The
// files' norm weights have their 1 added.
#include <cmath>

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
                                           tensors::kAttentionOutput,
                                           tensors::kGatedFeedForward);

constexpr auto kEmbed = join<Op>(kEmbedToken, scale(Slot::kResidual, &H::embedding_scale));

constexpr auto kLayer = join<Op>(rms_norm(Role::kAttentionNorm),
                                 separate_qkv(Biases::kNone),
                                 kRopeAndAttend,
                                 attention_output(Biases::kNone),
                                 kAddToResidual,
                                 rms_norm(Role::kFeedForwardNorm),
                                 separate_gate_up(Biases::kNone),
                                 gate(OpKind::kGeGlu),
                                 feed_forward_down(Biases::kNone),
                                 kAddToResidual);

constexpr auto kOutput = join<Op>(rms_norm(Role::kOutputNorm), kToLogits);

void derive(HyperParameters& h) {
  h.embedding_scale = std::sqrt(static_cast<float>(h.n_embedding));
}

}  // namespace

extern const Architecture kGemma;
const Architecture kGemma = {
    .name = "gemma",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
    .derive = derive,
};

}  // namespace kinglet::inference
