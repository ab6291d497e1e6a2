// Gemma 2: norms before and after each half of a layer, GELU-gated feed-forward, soft caps on
// scores and logits; every second layer sees all positions, the others a window. The embedding is
// scaled by the root of its length and tied to the output. The files' norm weights have their 1
// added.
#include <cmath>

#include "inference/models/operations.h"
#include "inference/models/tensors.h"

namespace kinglet::inference {

namespace {

using namespace operations;
using H = HyperParameters;

constexpr KeySpec kKeys[] = {
    {"attention.layer_norm_rms_epsilon", &H::norm_epsilon},
    {"attention.sliding_window", &H::sliding_window, Presence::kOptional},
    {"attn_logit_softcapping", &H::attention_soft_cap, Presence::kOptional},
    {"final_logit_softcapping", &H::final_soft_cap, Presence::kOptional},
};

constexpr auto kTensors = join<TensorSpec>(tensors::kEnds,
                                           tensors::kNorms,
                                           tensors::kSeparateQkv,
                                           tensors::kAttentionOutput,
                                           tensors::kGatedFeedForward,
                                           tensors::kAttentionPostNorm,
                                           tensors::kFeedForwardPostNorm);

constexpr auto kEmbed = join<Op>(kEmbedToken, scale(Slot::kResidual, &H::embedding_scale));

constexpr auto kLayer =
    join<Op>(rms_norm(Role::kAttentionNorm),
             separate_qkv(Biases::kNone),
             kRopeAndAttend,
             attention_output(Biases::kNone),
             in_place(OpKind::kRmsNorm, Slot::kProjected, Role::kAttentionPostNorm),
             kAddToResidual,
             rms_norm(Role::kFeedForwardNorm),
             separate_gate_up(Biases::kNone),
             gate(OpKind::kGeGlu),
             feed_forward_down(Biases::kNone),
             in_place(OpKind::kRmsNorm, Slot::kProjected, Role::kFeedForwardPostNorm),
             kAddToResidual);

constexpr auto kOutput =
    join<Op>(rms_norm(Role::kOutputNorm), kToLogits, soft_cap(Slot::kLogits, &H::final_soft_cap));

constexpr HyperParameters defaults() {
  HyperParameters h;
  h.sliding_window = 4096;
  h.sliding_window_period = 2;
  h.attention_soft_cap = 50.0F;
  h.final_soft_cap = 30.0F;
  return h;
}

void derive(HyperParameters& h) {
  h.embedding_scale = std::sqrt(static_cast<float>(h.n_embedding));
  // The 27B model alone scales queries by the embedding's share of a head, not by the head's size;
  // its number of layers is what tells it.
  constexpr std::uint32_t kLayersOf27B = 46;
  if (h.n_layers == kLayersOf27B && h.n_embedding >= h.n_heads && h.n_heads != 0) {
    const std::uint32_t share = h.n_embedding / h.n_heads;
    h.attention_scale = 1.0F / std::sqrt(static_cast<float>(share));
  }
}

}  // namespace

extern const Architecture kGemma2;
const Architecture kGemma2 = {
    .name = "gemma2",
    .keys = kKeys,
    .tensors = kTensors,
    .rope_style = RopeStyle::kNeox,
    .embed = kEmbed,
    .layer = kLayer,
    .output = kOutput,
    .defaults = defaults(),
    .derive = derive,
};

}  // namespace kinglet::inference
