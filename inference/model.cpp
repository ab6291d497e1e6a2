#include "inference/model.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>
#include <variant>

#include "daemon/base/trace.h"
#include "inference/gguf.h"
#include "inference/gguf_format.h"
#include "inference/quant/block_format.h"
#include "inference/vocabulary_from_gguf.h"

namespace kinglet::inference {

namespace {

// Bounds of what is believable. They keep every product of sizes within its type and refuse a
// nonsense file before anything is allocated for it.
struct Bound {
  std::string_view what;
  std::uint32_t HyperParameters::*member;
  std::uint32_t least;
  std::uint32_t most;
};
constexpr Bound kBounds[] = {
    {"layers", &HyperParameters::n_layers, 1, 1024},
    {"embedding length", &HyperParameters::n_embedding, 1, 1U << 16},
    {"attention heads", &HyperParameters::n_heads, 1, 1024},
    {"KV heads", &HyperParameters::n_kv_heads, 1, 1024},
    {"head size", &HyperParameters::head_dim, 1, 1U << 12},
    {"feed-forward length", &HyperParameters::n_feed_forward, 1, 1U << 20},
    {"vocabulary", &HyperParameters::n_vocabulary, 1, 1U << 22},
    {"context length", &HyperParameters::context_length, 1, 1U << 24},
    {"rope dimensions", &HyperParameters::rope_dims, 2, 1U << 12},
    {"original context length", &HyperParameters::rope_original_context, 1, 1U << 24},
};

struct FloatBound {
  std::string_view what;
  float HyperParameters::*member;
  float least;
  float most;
};
constexpr FloatBound kFloatBounds[] = {
    {"norm epsilon", &HyperParameters::norm_epsilon, 0.0F, 1.0F},
    {"attention scale", &HyperParameters::attention_scale, 1e-6F, 1e3F},
    {"attention soft cap", &HyperParameters::attention_soft_cap, 0.0F, 1e6F},
    {"final soft cap", &HyperParameters::final_soft_cap, 0.0F, 1e6F},
    {"embedding scale", &HyperParameters::embedding_scale, 1e-6F, 1e6F},
    {"residual scale", &HyperParameters::residual_scale, 1e-6F, 1e6F},
    {"logit scale", &HyperParameters::logit_scale, 1e-6F, 1e6F},
    {"rope frequency base", &HyperParameters::rope_freq_base, 1.0F, 1e12F},
    {"rope scaling factor", &HyperParameters::rope_scaling_factor, 1e-3F, 1e6F},
    {"rope YaRN beta_fast", &HyperParameters::rope_yarn_beta_fast, 1e-3F, 1e6F},
    {"rope YaRN beta_slow", &HyperParameters::rope_yarn_beta_slow, 1e-3F, 1e6F},
    {"rope attention factor", &HyperParameters::rope_attention_factor, 1e-3F, 1e3F},
};

// Keys that change what a model computes. An architecture that does not declare one cannot compute
// it. The value is the one that changes nothing.
struct RefusedKey {
  std::string_view suffix;  // after "<architecture>."
  std::variant<std::uint32_t, float, bool> harmless;
  std::string_view wanted;  // a model ...
};
constexpr RefusedKey kRefusedKeys[] = {
    {"expert_count", 0U, "without experts"},
    {"expert_used_count", 0U, "without experts"},
    {"attention.causal", true, "that writes text: this one makes embeddings"},
    {"attention.clamp_kqv", 0.0F, "without it"},
    {"attention.max_alibi_bias", 0.0F, "with rotary positions"},
    {"attn_logit_softcapping", 0.0F, "without it"},
    {"final_logit_softcapping", 0.0F, "without it"},
    {"embedding_scale", 1.0F, "without it"},
    {"residual_scale", 1.0F, "without it"},
    {"logit_scale", 1.0F, "without it"},
    {"attention.scale", 0.0F, "without it"},
    {"use_parallel_residual", false, "without it"},
};
constexpr std::string_view kSlidingWindow = "attention.sliding_window";

std::string name_in_layer(std::string_view pattern, std::uint32_t layer) {
  std::string name(pattern);
  if (const std::size_t at = name.find("{}"); at != std::string::npos) {
    name.replace(at, 2, std::to_string(layer));
  }
  return name;
}

std::string shape_text(const TensorInfo& tensor) {
  std::string text = std::to_string(tensor.shape[0]);
  for (std::uint32_t i = 1; i < tensor.n_dims; ++i) {
    text += " x " + std::to_string(tensor.shape[i]);
  }
  return text;
}

}  // namespace

/// Fills a Model step by step; each step relies on the ones before.
class ModelReader {
 public:
  explicit ModelReader(std::shared_ptr<const Gguf> gguf) : model_(new Model), gguf_(*gguf) {
    model_->gguf_ = std::move(gguf);
  }

  Result<std::shared_ptr<const Model>> read() {
    TRY(find_architecture());
    TRY(read_keys());
    TRY(read_vocabulary_size());
    TRY(fill_defaults());
    TRY(check_hyper_parameters());
    TRY(find_tensors());
    TRY(refuse_unknown_tensors());
    TRY(read_rope_factors());
    TRY(read_vocabulary());
    const auto name = TRY(gguf_.get<std::string_view>("general.name"));
    model_->name_ = name && !name->empty() ? printable(*name)
                                           : std::filesystem::path(gguf_.name()).stem().string();
    return std::shared_ptr<const Model>(std::move(model_));
  }

 private:
  tl::unexpected<Error> refuse(ErrorCode code, const std::string& what) const {
    return fail(code, gguf_.name() + ": " + what);
  }

  Result<void> find_architecture() {
    const auto name = TRY(gguf_.require<std::string_view>("general.architecture"));
    std::string known;
    for (const Architecture* architecture : all_architectures()) {
      if (architecture->name == name) model_->architecture_ = architecture;
      known += (known.empty() ? "" : ", ") + std::string(architecture->name);
    }
    if (model_->architecture_ == nullptr) {
      return refuse(ErrorCode::kUnsupported,
                    "general.architecture is " + quoted(name) + "; Kinglet runs " + known +
                        ": get a model of one of them");
    }
    return {};
  }

  Result<void> read_keys() {
    parameters() = architecture().defaults;
    for (const std::span<const KeySpec> keys : {common_keys(), architecture().keys}) {
      for (const KeySpec& spec : keys) {
        TRY(std::visit([&](auto member) { return read_key(spec, member); }, spec.member));
      }
    }
    TRY(read_rope_scaling());
    for (const RefusedKey& refused : kRefusedKeys) {
      if (is_declared(refused.suffix)) continue;
      TRY(std::visit(
          [&](auto harmless) { return refuse_unless(refused.suffix, harmless, refused.wanted); },
          refused.harmless));
    }
    // A window that no text of the model passes changes nothing.
    const auto window = TRY(gguf_.get<std::uint32_t>(full_key(kSlidingWindow)));
    if (window && *window < parameters().context_length && !is_declared(kSlidingWindow)) {
      TRY(refuse_unless(kSlidingWindow, 0U, "without a window"));
    }
    return {};
  }

  bool is_declared(std::string_view suffix) const {
    const auto keys = architecture().keys;
    return std::any_of(
        keys.begin(), keys.end(), [&](const KeySpec& spec) { return spec.key == suffix; });
  }

  template <class T>
  Result<void> refuse_unless(std::string_view suffix, T harmless, std::string_view wanted) const {
    const std::string key = full_key(suffix);
    const auto value = TRY(gguf_.get<T>(key));
    // Converters write 0 for "none" of numbers, too.
    if (!value || *value == harmless || (!std::is_same_v<T, bool> && *value == T{})) return {};
    std::string text = std::to_string(*value);
    if constexpr (std::is_same_v<T, bool>) text = *value ? "true" : "false";
    return refuse(ErrorCode::kUnsupported,
                  key + " is " + text + ", which Kinglet does not compute for " +
                      std::string(architecture().name) + "; get a model " + std::string(wanted));
  }

  template <class T>
  Result<void> read_key(const KeySpec& spec, T HyperParameters::*member) {
    const std::string key = full_key(spec.key);
    if (spec.presence == Presence::kRequired) {
      parameters().*member = TRY(gguf_.require<T>(key));
    } else if (const auto value = TRY(gguf_.get<T>(key))) {
      parameters().*member = *value;
    } else {
      return {};
    }
    if (spec.reading == Reading::kReciprocal) parameters().*member = T{1} / parameters().*member;
    return {};
  }

  Result<void> read_rope_scaling() {
    constexpr struct {
      std::string_view name;
      RopeScaling scaling;
    } kKinds[] = {
        {"none", RopeScaling::kNone},
        {"linear", RopeScaling::kLinear},
        {"yarn", RopeScaling::kYarn},
        {"longrope", RopeScaling::kLongRope},
    };
    const std::string key = full_key("rope.scaling.type");
    const auto name = TRY(gguf_.get<std::string_view>(key));
    if (!name) {
      // Files that say by how much and not how mean this.
      if (parameters().rope_scaling_factor != 1) parameters().rope_scaling = RopeScaling::kLinear;
      return {};
    }
    std::string known;
    for (const auto& kind : kKinds) {
      if (kind.name == *name) {
        parameters().rope_scaling = kind.scaling;
        return {};
      }
      known += (known.empty() ? "'" : ", '") + std::string(kind.name) + "'";
    }
    return refuse(
        ErrorCode::kUnsupported,
        key + " is " + quoted(*name) + "; Kinglet has " + known + ": get a model with one of them");
  }

  /// No key holds it in every file: the token embedding's rows do.
  Result<void> read_vocabulary_size() {
    for (const TensorSpec& spec : architecture().tensors) {
      if (spec.role != Role::kTokenEmbedding) continue;
      const TensorInfo* tensor = gguf_.find_tensor(spec.name);
      if (tensor == nullptr && gguf_.tensors().empty()) {
        return refuse(ErrorCode::kUnsupported,
                      "holds no weights, only what is said of a model; get the model itself");
      }
      if (tensor == nullptr) return missing(spec.name);
      if (tensor->shape[1] > UINT32_MAX) {
        return refuse(ErrorCode::kCorrupt, std::string(spec.name) + " has too many rows");
      }
      parameters().n_vocabulary = static_cast<std::uint32_t>(tensor->shape[1]);
    }
    return {};
  }

  Result<void> fill_defaults() {
    HyperParameters& h = parameters();
    if (h.n_kv_heads == 0) h.n_kv_heads = h.n_heads;
    if (h.head_dim == 0 && h.n_heads != 0) {
      if (h.n_embedding % h.n_heads != 0) {
        return contradictory("an embedding of " + std::to_string(h.n_embedding) +
                                 " cannot be divided among " + std::to_string(h.n_heads) + " heads",
                             &HyperParameters::n_heads);
      }
      h.head_dim = h.n_embedding / h.n_heads;
    }
    if (h.rope_dims == 0) h.rope_dims = h.head_dim;
    if (h.rope_original_context == 0) h.rope_original_context = h.context_length;
    // Converters write 0 for "none".
    if (h.rope_scaling_factor == 0) h.rope_scaling_factor = 1;
    if (architecture().derive != nullptr) architecture().derive(h);
    if (h.attention_scale == 0 && h.head_dim != 0) {
      h.attention_scale = 1.0F / std::sqrt(static_cast<float>(h.head_dim));
    }
    return {};
  }

  Result<void> check_hyper_parameters() {
    const HyperParameters& h = parameters();
    for (const Bound& bound : kBounds) {
      const std::uint32_t value = h.*bound.member;
      if (value < bound.least || value > bound.most) {
        return contradictory(std::string(bound.what) + ": " + std::to_string(value) +
                                 " is not within " + std::to_string(bound.least) + " to " +
                                 std::to_string(bound.most),
                             bound.member);
      }
    }
    if (h.n_heads % h.n_kv_heads != 0) {
      return contradictory(std::to_string(h.n_heads) + " attention heads cannot share " +
                               std::to_string(h.n_kv_heads) + " KV heads",
                           &HyperParameters::n_kv_heads);
    }
    if (h.rope_dims % 2 != 0 || h.rope_dims > h.head_dim) {
      return contradictory(std::to_string(h.rope_dims) + " rope dimensions in heads of " +
                               std::to_string(h.head_dim),
                           &HyperParameters::rope_dims);
    }
    const std::string key = full_key("attention.value_length");
    const auto value_length = TRY(gguf_.get<std::uint32_t>(key));
    if (value_length && *value_length != h.head_dim) {
      return refuse(ErrorCode::kUnsupported,
                    key + " is " + std::to_string(*value_length) + " and the keys' length " +
                        std::to_string(h.head_dim) + ": Kinglet needs them equal");
    }
    for (const FloatBound& bound : kFloatBounds) {
      if (is_within(h.*bound.member, bound.least, bound.most)) continue;
      return contradictory(std::string(bound.what) + ": " + std::to_string(h.*bound.member) +
                               " is not a usable value",
                           bound.member);
    }
    return {};
  }

  /// False for NaN.
  static bool is_within(float value, float least, float most) {
    return value >= least && value <= most;
  }

  /// `what`, with the key that `member` was read from. One without a key was derived from others.
  template <class T>
  tl::unexpected<Error> contradictory(const std::string& what, T HyperParameters::*member) const {
    std::string place;
    for (const std::span<const KeySpec> keys : {common_keys(), architecture().keys}) {
      for (const KeySpec& spec : keys) {
        const auto* read = std::get_if<T HyperParameters::*>(&spec.member);
        if (read == nullptr || *read != member) continue;
        if (gguf_.has(full_key(spec.key))) place = full_key(spec.key);
      }
    }
    return refuse(
        ErrorCode::kCorrupt,
        what + (place.empty() ? "" : " (key '" + place + "')") + "; get another copy of the model");
  }

  Result<void> find_tensors() {
    for (const TensorSpec& spec : architecture().tensors) {
      const std::uint32_t n = is_per_layer(spec.role) ? parameters().n_layers : 1;
      std::vector<Weight>& weights = weights_of(spec.role);
      for (std::uint32_t layer = 0; layer < n; ++layer) {
        const std::string name = name_in_layer(spec.name, layer);
        const TensorInfo* tensor = gguf_.find_tensor(name);
        if (tensor != nullptr) {
          weights.push_back(TRY(as_weight(spec, *tensor)));
          known_.insert(tensor->name);
          model_->weight_bytes_ += tensor->data.size();
          model_->n_parameters_ += tensor->n_elements();
        } else if (spec.presence == Presence::kRequired) {
          return missing(name);
        } else {
          weights.emplace_back();
        }
      }
    }
    for (const TensorSpec& spec : architecture().tensors) {
      if (!spec.fallback) continue;
      const std::vector<Weight>& others = weights_of(*spec.fallback);
      for (std::size_t i = 0; i < others.size(); ++i) {
        if (Weight& weight = weights_of(spec.role)[i]; weight.format == nullptr) weight = others[i];
      }
    }
    return {};
  }

  Result<Weight> as_weight(const TensorSpec& spec, const TensorInfo& tensor) const {
    const std::uint32_t n_columns = size_of(spec.columns, parameters());
    const std::uint32_t n_rows = size_of(spec.rows, parameters());
    if (tensor.shape[0] != n_columns || tensor.shape[1] != n_rows || tensor.shape[2] != 1 ||
        tensor.shape[3] != 1) {
      return refuse(ErrorCode::kCorrupt,
                    "tensor " + std::string(tensor.name) + " is " + shape_text(tensor) +
                        "; its hyperparameters ask for " + std::to_string(n_columns) + " x " +
                        std::to_string(n_rows));
    }
    return Weight{.name = tensor.name,
                  .format = &tensor.format(),
                  .n_columns = n_columns,
                  .n_rows = n_rows,
                  .data = tensor.data};
  }

  /// A tensor nobody asked for would be a part of the computation that is left out (a bias, an
  /// expert, an adapter): wrong text instead of an error.
  Result<void> refuse_unknown_tensors() const {
    for (const TensorInfo& tensor : gguf_.tensors()) {
      if (known_.count(tensor.name) == 0) {
        return refuse(ErrorCode::kUnsupported,
                      "tensor " + quoted(tensor.name) + " is not part of the architecture " +
                          std::string(architecture().name) +
                          " as Kinglet knows it; get another conversion of the model");
      }
    }
    return {};
  }

  Result<void> read_rope_factors() {
    if (const Weight* factors = model_->weight(Role::kRopeFactors)) {
      model_->rope_factors_short_ = TRY(factors_of(*factors));
    }
    const Weight* long_factors = model_->weight(Role::kRopeFactorsLong);
    const Weight* short_factors = model_->weight(Role::kRopeFactorsShort);
    if ((long_factors == nullptr) != (short_factors == nullptr)) {
      return missing(long_factors == nullptr ? "rope_factors_long.weight"
                                             : "rope_factors_short.weight");
    }
    if (long_factors == nullptr) return {};
    model_->rope_factors_long_ = TRY(factors_of(*long_factors));
    model_->rope_factors_short_ = TRY(factors_of(*short_factors));
    return {};
  }

  Result<std::vector<float>> factors_of(const Weight& weight) const {
    std::vector<float> factors(weight.n_columns);
    weight.format->dequantize(weight.data, factors);
    for (const float factor : factors) {
      if (is_within(factor, 1e-6F, 1e6F)) continue;
      return refuse(ErrorCode::kCorrupt,
                    "tensor " + std::string(weight.name) + " holds " + std::to_string(factor) +
                        ", which is no usable factor; get another copy of the model");
    }
    return factors;
  }

  Result<void> read_vocabulary() {
    auto vocabulary = std::make_shared<const Vocabulary>(TRY(vocabulary_from_gguf(gguf_)));
    if (vocabulary->size() > parameters().n_vocabulary) {
      return refuse(ErrorCode::kCorrupt,
                    "the tokenizer has " + std::to_string(vocabulary->size()) +
                        " tokens, the token embedding " +
                        std::to_string(parameters().n_vocabulary) + " rows");
    }
    model_->vocabulary_ = std::move(vocabulary);
    return {};
  }

  std::string full_key(std::string_view suffix) const {
    return std::string(architecture().name) + "." + std::string(suffix);
  }

  tl::unexpected<Error> missing(std::string_view tensor) const {
    return refuse(ErrorCode::kCorrupt,
                  "tensor " + std::string(tensor) + " is missing; download the file again");
  }

  const Architecture& architecture() const { return *model_->architecture_; }
  HyperParameters& parameters() { return model_->hyper_parameters_; }
  const HyperParameters& parameters() const { return model_->hyper_parameters_; }
  std::vector<Weight>& weights_of(Role role) {
    return model_->weights_[static_cast<std::size_t>(role)];
  }

  std::unique_ptr<Model> model_;
  const Gguf& gguf_;
  std::set<std::string_view> known_;
};

Result<std::shared_ptr<const Model>> Model::load(const std::filesystem::path& path) {
  const trace::Span span("read model file");
  return from_gguf(TRY(Gguf::open(path)));
}

Result<std::shared_ptr<const Model>> Model::from_gguf(Gguf&& gguf) {
  return ModelReader(std::make_shared<const Gguf>(std::move(gguf))).read();
}

const Weight* Model::weight(Role role, std::uint32_t layer) const {
  const std::vector<Weight>& weights = weights_[static_cast<std::size_t>(role)];
  const std::size_t index = is_per_layer(role) ? layer : 0;
  if (index >= weights.size() || weights[index].format == nullptr) return nullptr;
  return &weights[index];
}

const Weight& Model::required(Role role, std::uint32_t layer) const {
  const Weight* found = weight(role, layer);
  assert(found != nullptr);
  return *found;
}

RopeFactorSet Model::rope_factor_set(std::uint32_t max_tokens) const {
  return !rope_factors_long_.empty() && max_tokens > hyper_parameters_.rope_original_context
             ? RopeFactorSet::kLong
             : RopeFactorSet::kShort;
}

RopeSpec Model::rope_spec(RopeFactorSet factor_set) const {
  return rope_spec_of(
      hyper_parameters_,
      factor_set == RopeFactorSet::kLong ? rope_factors_long_ : rope_factors_short_);
}

}  // namespace kinglet::inference
