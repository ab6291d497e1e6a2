#include "inference/lora.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "inference/gguf.h"
#include "inference/gguf_format.h"

namespace kinglet::inference {

namespace {

// Beyond it an adapter is no smaller than what it changes; bounds the backends' scratch memory.
constexpr std::uint32_t kMaxRank = 4096;

/// A tensor that adapters can change: one that an operation multiplies by or looks tokens up in.
struct Target {
  Role role;
  std::uint32_t layer;
  bool is_embedding;
  const Weight* weight;
};

std::map<std::string_view, Target> targets_of(const Model& model) {
  std::map<std::string_view, Target> targets;
  const auto add = [&](std::span<const Op> ops, std::uint32_t layer) {
    for (const Op& op : ops) {
      if (op.kind != OpKind::kMatMul && op.kind != OpKind::kEmbed) continue;
      const Weight& weight = model.required(*op.weight, layer);
      // Of a tensor with two roles the first counts: the embedding comes before a tied output.
      targets.try_emplace(weight.name,
                          Target{*op.weight, layer, op.kind == OpKind::kEmbed, &weight});
    }
  };
  add(model.architecture().embed, 0);
  for (std::uint32_t layer = 0; layer < model.hyper_parameters().n_layers; ++layer) {
    add(model.architecture().layer, layer);
  }
  add(model.architecture().output, 0);
  return targets;
}

bool is_tied(const Model& model) {
  const Weight* output = model.weight(Role::kOutput);
  return output != nullptr &&
         output->data.data() == model.required(Role::kTokenEmbedding).data.data();
}

std::string shape_text(const Weight& weight) {
  return std::to_string(weight.n_columns) + " x " + std::to_string(weight.n_rows);
}

struct Halves {
  const TensorInfo* a = nullptr;
  const TensorInfo* b = nullptr;
};

}  // namespace

/// Fills a Lora step by step.
class LoraReader {
 public:
  LoraReader(std::shared_ptr<const Gguf> gguf, const Model& model)
      : lora_(new Lora), gguf_(*gguf), model_(model) {
    lora_->gguf_ = std::move(gguf);
    lora_->model_ = &model;
  }

  Result<std::shared_ptr<const Lora>> read() {
    TRY(check_kind());
    const float alpha = TRY(read_alpha());
    const std::map<std::string_view, Halves> changes = TRY(find_changes());
    const std::map<std::string_view, Target> targets = targets_of(model_);
    for (const auto& [name, halves] : changes) {
      const auto target = targets.find(name);
      if (target == targets.end()) {
        return refuse(ErrorCode::kInvalidArgument,
                      "it changes " + quoted(name) + ", which " + model_.name() +
                          " does not multiply by: it is for another model");
      }
      TRY(add(target->second, name, halves, alpha));
    }
    return std::shared_ptr<const Lora>(std::move(lora_));
  }

 private:
  tl::unexpected<Error> refuse(ErrorCode code, const std::string& what) const {
    return fail(code, gguf_.name() + ": " + what);
  }

  Result<void> check_kind() const {
    const auto type = TRY(gguf_.get<std::string_view>("general.type"));
    if (!type || *type != "adapter") {
      return refuse(ErrorCode::kInvalidArgument,
                    "not an adapter: general.type is " + (type ? quoted(*type) : "missing"));
    }
    const auto kind = TRY(gguf_.require<std::string_view>("adapter.type"));
    if (kind != "lora") {
      return refuse(ErrorCode::kUnsupported,
                    "adapter.type is " + quoted(kind) + "; Kinglet has 'lora'");
    }
    // These change the model only from certain tokens on.
    if (gguf_.has("adapter.alora.invocation_tokens")) {
      return refuse(ErrorCode::kUnsupported,
                    "it has adapter.alora.invocation_tokens: Kinglet has no activated LoRA");
    }
    const auto architecture = TRY(gguf_.require<std::string_view>("general.architecture"));
    if (architecture != model_.architecture().name) {
      return refuse(ErrorCode::kInvalidArgument,
                    "general.architecture is " + quoted(architecture) + "; " + model_.name() +
                        " is " + std::string(model_.architecture().name) +
                        ": it is for another model");
    }
    return {};
  }

  Result<float> read_alpha() const {
    const float alpha = TRY(gguf_.get<float>("adapter.lora.alpha")).value_or(0.0F);
    if (std::isfinite(alpha)) return alpha;
    return refuse(ErrorCode::kCorrupt, "adapter.lora.alpha is no usable number");
  }

  /// By the changed tensor's name, both halves there.
  Result<std::map<std::string_view, Halves>> find_changes() const {
    constexpr std::string_view kA = ".lora_a";
    constexpr std::string_view kB = ".lora_b";
    std::map<std::string_view, Halves> changes;
    for (const TensorInfo& tensor : gguf_.tensors()) {
      const std::string_view base =
          tensor.name.substr(0, tensor.name.size() - std::min(kA.size(), tensor.name.size()));
      if (tensor.name.ends_with(kA)) {
        changes[base].a = &tensor;
      } else if (tensor.name.ends_with(kB)) {
        changes[base].b = &tensor;
      } else {
        return refuse(ErrorCode::kUnsupported,
                      "tensor " + quoted(tensor.name) + " is neither a .lora_a nor a .lora_b");
      }
    }
    for (const auto& [name, halves] : changes) {
      if (halves.a != nullptr && halves.b != nullptr) continue;
      const std::string missing(halves.a == nullptr ? kA : kB);
      return refuse(ErrorCode::kCorrupt,
                    quoted(name) + " has no " + missing + "; download the file again");
    }
    if (changes.empty()) return refuse(ErrorCode::kCorrupt, "it holds no tensors");
    return changes;
  }

  Result<Weight> as_weight(const TensorInfo& tensor) const {
    // Model sizes are bounded far below; whatever is above fits no tensor of it.
    constexpr std::uint64_t kMost = std::uint64_t{1} << 22;
    if (tensor.shape[2] != 1 || tensor.shape[3] != 1 || tensor.shape[0] > kMost ||
        tensor.shape[1] > kMost) {
      return refuse(ErrorCode::kCorrupt, "tensor " + quoted(tensor.name) + " is no usable matrix");
    }
    return Weight{.name = tensor.name,
                  .format = &tensor.format(),
                  .n_columns = static_cast<std::uint32_t>(tensor.shape[0]),
                  .n_rows = static_cast<std::uint32_t>(tensor.shape[1]),
                  .data = tensor.data};
  }

  Result<void> add(const Target& target, std::string_view name, const Halves& halves, float alpha) {
    LoraPair pair{.a = TRY(as_weight(*halves.a)), .b = TRY(as_weight(*halves.b))};
    const std::uint32_t rank = pair.rank();
    const Weight& w = *target.weight;
    const bool fits =
        target.is_embedding
            ? pair.a.n_columns == rank && pair.a.n_rows == w.n_rows && pair.b.n_rows == w.n_columns
            : pair.a.n_rows == rank && pair.a.n_columns == w.n_columns && pair.b.n_rows == w.n_rows;
    if (!fits) {
      return refuse(ErrorCode::kInvalidArgument,
                    quoted(name) + " is " + shape_text(w) + " in " + model_.name() +
                        "; its lora_a is " + shape_text(pair.a) + ", its lora_b " +
                        shape_text(pair.b) + ": it is for another model");
    }
    if (rank > kMaxRank) {
      return refuse(ErrorCode::kUnsupported,
                    quoted(name) + " has rank " + std::to_string(rank) + "; Kinglet takes up to " +
                        std::to_string(kMaxRank));
    }
    if (target.is_embedding && is_tied(model_)) {
      return refuse(ErrorCode::kUnsupported,
                    "it changes " + quoted(name) + ", which is the output matrix of " +
                        model_.name() + ", too: merge it into the model instead");
    }
    pair.scale = alpha != 0 ? alpha / static_cast<float>(rank) : 1.0F;
    auto& layers = lora_->pairs_[static_cast<std::size_t>(target.role)];
    layers.resize(std::max<std::size_t>(layers.size(), target.layer + std::size_t{1}));
    layers[target.layer] = pair;
    lora_->max_rank_ = std::max(lora_->max_rank_, rank);
    return {};
  }

  std::shared_ptr<Lora> lora_;
  const Gguf& gguf_;
  const Model& model_;
};

Result<std::shared_ptr<const Lora>> Lora::load(const std::filesystem::path& path,
                                               const Model& model) {
  auto gguf = TRY(Gguf::open(path));
  TRY(gguf.check_finite());
  return from_gguf(std::move(gguf), model);
}

Result<std::shared_ptr<const Lora>> Lora::from_gguf(Gguf&& gguf, const Model& model) {
  return LoraReader(std::make_shared<const Gguf>(std::move(gguf)), model).read();
}

std::string_view Lora::name() const {
  return gguf_->name();
}

std::vector<const Weight*> Lora::weights() const {
  std::vector<const Weight*> weights;
  for (const std::vector<LoraPair>& layers : pairs_) {
    for (const LoraPair& pair : layers) {
      if (pair.b.format != nullptr) weights.insert(weights.end(), {&pair.a, &pair.b});
    }
  }
  return weights;
}

const LoraPair* Lora::pair(Role role, std::uint32_t layer) const {
  const std::vector<LoraPair>& layers = pairs_[static_cast<std::size_t>(role)];
  const std::size_t index = is_per_layer(role) ? layer : 0;
  if (index >= layers.size() || layers[index].b.format == nullptr) return nullptr;
  return &layers[index];
}

}  // namespace kinglet::inference
