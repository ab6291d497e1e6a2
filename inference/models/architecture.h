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
  std::uint32_t sliding_window =
      0;  ///< a position sees itself and this many less one before; 0: all
  float rms_epsilon = 0;

  std::uint32_t rope_dims = 0;  ///< leading dimensions of each head that turn; even, <= head_dim
  float rope_freq_base = 10000.0F;
  /// Sequences that may grow beyond this many positions use the long factors. 0 in the file's place
  /// means context_length.
  std::uint32_t rope_original_context = 0;
  float rope_attention_factor = 1.0F;  ///< multiplies cos and sin, with both factor sets
};

/// The sizes tensors and slots are declared with.
enum class Dim : std::uint8_t {
  kNone,         // 1: the second dimension of a vector
  kEmbedding,    // n_embedding
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
  kOutput,
  kRopeFactorsLong,
  kRopeFactorsShort,
  // Once per layer:
  kAttentionNorm,
  kAttentionQkv,
  kAttentionOutput,
  kFeedForwardNorm,
  kFeedForwardGateUp,
  kFeedForwardDown,
};
inline constexpr std::size_t kRoleCount = static_cast<std::size_t>(Role::kFeedForwardDown) + 1;

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

enum class OpKind : std::uint8_t {
  kEmbed,      // out = row `token` of weight
  kRmsNorm,    // out = in / sqrt(mean(in^2) + rms_epsilon) * weight
  kMatMul,     // out = weight * in; weight is (rows = size of out, columns = size of in)
  kRope,       // turns the heads of `in` by their position, in place (out == in); RopeStyle, table
  kStoreKv,    // writes kKeys and kValues to the KV cache at the token's position; no slot changes
  kAttention,  // out = softmax(q k^T / sqrt(head_dim)) v for each head of in, over the cache:
               // causal, within the sliding window; query head h reads KV head h / (n_heads /
               // n_kv_heads)
  kSwiGlu,     // out = silu(kGate) * kUp, `in` is their whole, kGateUp
  kAdd,        // out += in
};

struct Op {
  OpKind kind;
  std::optional<Role> weight;
  Slot in;
  Slot out;
};

enum class RopeStyle : std::uint8_t {
  kNeox,  // dimension i turns with i + rope_dims / 2
};

enum class Presence : std::uint8_t { kRequired, kOptional };

/// A hyperparameter and the GGUF key it is read from.
struct KeySpec {
  std::string_view key;
  std::variant<std::uint32_t HyperParameters::*, float HyperParameters::*> member;
  Presence presence = Presence::kRequired;
};

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
  std::string_view name;  ///< the value of `general.architecture`
  std::span<const KeySpec> keys;
  std::string_view rope_scaling_key;  ///< string: absent, "none" or "longrope"; others are refused
  std::span<const TensorSpec> tensors;
  RopeStyle rope_style;
  std::span<const Op> embed;
  std::span<const Op> layer;
  std::span<const Op> output;
};

/// Every architecture Kinglet runs (models/all.cpp).
std::span<const Architecture* const> all_architectures();

}  // namespace kinglet::inference
