// What a model architecture declares, and all it declares: which hyperparameter keys it reads,
// which tensors it has and their shapes, and its forward pass as a short list of operations. Data
// only: no backend names an architecture, no architecture names a kernel.
//
// A forward pass runs `embed`, then `layer` for each layer, then `output`. Operations read and
// write *slots*: the few named activations of one token. Some slots are parts of others (Q, K and V
// lie side by side in kQkv), so that a fused projection and three separate ones feed the same
// operations after them. All activations are f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace kinglet::inference {

/// How the frequencies of rope were stretched to a longer context than the model was first trained
/// for (rope.h has the formulas).
enum class RopeScaling : std::uint8_t {
  kNone,
  kLinear,    // all frequencies are divided by rope_scaling_factor
  kYarn,      // only the slow ones are; Peng et al., YaRN (2023)
  kLongRope,  // two sets of factors, which the file holds as tensors
};

/// The numbers of a model, as its file gives them (defaults filled in, checked; see model.h).
struct HyperParameters {
  std::uint32_t n_layers = 0;
  std::uint32_t n_embedding = 0;
  std::uint32_t n_heads = 0;
  std::uint32_t n_kv_heads = 0;  ///< divides n_heads; 0 in the file's place means n_heads
  std::uint32_t head_dim = 0;    ///< of queries, keys and values alike
  std::uint32_t n_feed_forward = 0;
  std::uint32_t n_vocabulary = 0;    ///< rows of the token embedding
  std::uint32_t context_length = 0;  ///< positions the model was made for
  float norm_epsilon = 0;            ///< of every norm

  /// A position of a windowed layer sees itself and this many less one before; 0: all.
  std::uint32_t sliding_window = 0;
  /// The last of each group of so many layers sees all; 0 or 1: none does. See window_of().
  std::uint32_t sliding_window_period = 1;
  float attention_scale = 0;     ///< of scores; 0 in the file's place means 1 / sqrt(head_dim)
  float attention_soft_cap = 0;  ///< c: scaled scores become c * tanh(score / c), before the mask;
                                 ///< 0: they stay
  float final_soft_cap = 0;      ///< the same for logits
  // Multipliers; 1 changes nothing.
  float embedding_scale = 1;
  float residual_scale = 1;  ///< of what a layer adds to kResidual
  float logit_scale = 1;

  std::uint32_t rope_dims = 0;  ///< leading dimensions of each head that turn; even, <= head_dim
  float rope_freq_base = 10000.0F;
  RopeScaling rope_scaling = RopeScaling::kNone;
  float rope_scaling_factor = 1.0F;  ///< of kLinear and kYarn
  float rope_yarn_beta_fast = 32.0F;
  float rope_yarn_beta_slow = 1.0F;
  /// Positions trained before the stretching. With kLongRope, sequences that may grow beyond this
  /// many positions use the long factors. 0 in the file's place means context_length.
  std::uint32_t rope_original_context = 0;
  float rope_attention_factor = 1.0F;  ///< multiplies cos and sin, with both factor sets
};

/// The sliding window of a layer's attention; 0: all positions.
std::uint32_t window_of(const HyperParameters& hyper_parameters, std::uint32_t layer);

/// The sizes tensors and slots are declared with.
enum class Dim : std::uint8_t {
  kNone,         // 1: the second dimension of a vector
  kEmbedding,    // n_embedding
  kHead,         // head_dim
  kQuery,        // n_heads * head_dim
  kKeyValue,     // n_kv_heads * head_dim
  kQkv,          // kQuery + 2 * kKeyValue
  kFeedForward,  // n_feed_forward
  kGateUp,       // 2 * n_feed_forward
  kVocabulary,   // n_vocabulary
  kRopeHalf,     // rope_dims / 2
};

/// In elements. The products fit: model.h bounds every hyperparameter.
std::uint32_t size_of(Dim dim, const HyperParameters& hyper_parameters);

/// What a tensor is for; names are the architecture's business.
enum class Role : std::uint8_t {
  kTokenEmbedding,
  kOutputNorm,
  kOutputNormBias,
  kOutput,
  kRopeFactors,  // for sequences of any length
  kRopeFactorsLong,
  kRopeFactorsShort,
  // Once per layer:
  kAttentionNorm,
  kAttentionNormBias,
  kAttentionQkv,
  kAttentionQuery,
  kAttentionQueryBias,
  kAttentionQueryNorm,
  kAttentionKey,
  kAttentionKeyBias,
  kAttentionKeyNorm,
  kAttentionValue,
  kAttentionValueBias,
  kAttentionOutput,
  kAttentionOutputBias,
  kAttentionPostNorm,
  kFeedForwardNorm,
  kFeedForwardNormBias,
  kFeedForwardGateUp,
  kFeedForwardGate,
  kFeedForwardGateBias,
  kFeedForwardUp,
  kFeedForwardUpBias,
  kFeedForwardDown,
  kFeedForwardDownBias,
  kFeedForwardPostNorm,
};
inline constexpr std::size_t kRoleCount = static_cast<std::size_t>(Role::kFeedForwardPostNorm) + 1;

constexpr bool is_per_layer(Role role) {
  return role >= Role::kAttentionNorm;
}

/// Activations of one token. Parts lie inside their whole in the order written here.
enum class Slot : std::uint8_t {
  kResidual,   // (kEmbedding) the stream that operations add to
  kNormed,     // (kEmbedding)
  kQkv,        // (kQkv) the whole of the next three
  kQueries,    // (n_heads, head_dim) part of kQkv
  kKeys,       // (n_kv_heads, head_dim) part of kQkv
  kValues,     // (n_kv_heads, head_dim) part of kQkv
  kAttended,   // (n_heads, head_dim)
  kGateUp,     // (kGateUp) the whole of the next two
  kGate,       // (kFeedForward) part of kGateUp
  kUp,         // (kFeedForward) part of kGateUp
  kGated,      // (kFeedForward)
  kProjected,  // (kEmbedding)
  kLogits,     // (kVocabulary) only for the tokens whose logits are wanted
};
inline constexpr std::size_t kSlotCount = static_cast<std::size_t>(Slot::kLogits) + 1;

/// Where a slot lies: `size` elements at `offset` of the buffer that belongs to `whole`.
struct SlotPlace {
  Slot whole;
  std::uint32_t offset;
  std::uint32_t size;
};
SlotPlace place_of(Slot slot, const HyperParameters& hyper_parameters);

// "In place" means that an operation's in and out are the same slot.
enum class OpKind : std::uint8_t {
  kEmbed,        // out = row `token` of weight
  kRmsNorm,      // out = in / sqrt(mean(in^2) + norm_epsilon) * weight; may be in place
  kLayerNorm,    // out = (in - mean(in)) / sqrt(var(in) + norm_epsilon) * weight + bias; may be in
                 // place
  kHeadRmsNorm,  // kRmsNorm of each head of a headed slot, in place; weight is (head_dim)
  kMatMul,       // out = weight * in + bias; weight is (rows = size of out, columns = size of in)
  kRope,         // turns the heads of `in` by their position, in place; RopeStyle, rope.h's table
  kStoreKv,    // writes kKeys and kValues to the KV cache at the token's position; no slot changes
  kAttention,  // out = softmax(soft_cap(q k^T * attention_scale)) v for each head of in, over the
               // cache: causal, within the layer's window_of(); query head h reads KV head
               // h / (n_heads / n_kv_heads)
  kSwiGlu,     // out = silu(kGate) * kUp, `in` is their whole, kGateUp
  kGeGlu,      // out = gelu(kGate) * kUp, likewise
  kGelu,       // gelu(x) = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))), in place
  kAdd,        // out += in
  kScale,      // out *= h.*scalar, in place; backends leave it out where that is 1
  kSoftCap,    // out = c * tanh(out / c), c = h.*scalar, in place; left out where that is 0
};

struct Op {
  OpKind kind;
  std::optional<Role> weight;
  Slot in;
  Slot out;
  /// kMatMul, kLayerNorm: a vector of out's size. Nothing is added where the file lacks it.
  std::optional<Role> bias = std::nullopt;
  /// kScale, kSoftCap.
  float HyperParameters::*scalar = nullptr;
};

/// Whether an operation changes nothing with these hyperparameters, so that it need not be
/// computed.
bool is_identity(const Op& op, const HyperParameters& hyper_parameters);

enum class RopeStyle : std::uint8_t {
  kNeox,         // dimension i turns with i + rope_dims / 2
  kInterleaved,  // dimension 2i turns with 2i + 1
};

enum class Presence : std::uint8_t { kRequired, kOptional };
enum class Reading : std::uint8_t { kAsItIs, kReciprocal };

/// A hyperparameter and the GGUF key it is read from: "<name of the architecture>.<key>".
struct KeySpec {
  std::string_view key;
  std::variant<std::uint32_t HyperParameters::*, float HyperParameters::*> member;
  Presence presence = Presence::kRequired;
  Reading reading = Reading::kAsItIs;
};

/// Those that mean the same in every architecture: sizes, and rope.
std::span<const KeySpec> common_keys();

/// A tensor: "{}" in its name is the layer's number. In GGUF order: `columns` is the fast
/// dimension.
struct TensorSpec {
  std::string_view name;
  Role role;
  Dim columns;
  Dim rows = Dim::kNone;
  Presence presence = Presence::kRequired;
  /// Used where the file lacks this optional tensor: tied output weights.
  std::optional<Role> fallback = std::nullopt;
};

struct Architecture {
  std::string_view name;          ///< the value of `general.architecture`
  std::span<const KeySpec> keys;  ///< beside common_keys()
  std::span<const TensorSpec> tensors;
  RopeStyle rope_style;
  std::span<const Op> embed;
  std::span<const Op> layer;
  std::span<const Op> output;
  /// What holds where the file has no key for it.
  HyperParameters defaults = {};
  /// Fills in what no key says but follows from those that do; null: nothing. Called before the
  /// numbers are checked: any of them may be 0.
  void (*derive)(HyperParameters& hyper_parameters) = nullptr;
};

/// Every architecture Kinglet runs (models/all.cpp).
std::span<const Architecture* const> all_architectures();

}  // namespace kinglet::inference
