// Low-rank adapters: a small file that changes what a model computes. Where the model multiplies by
// W, it then multiplies by W + scale * B A, with B A of a low rank; W stays as it is, so adapters
// are put on and taken off while the model runs. Hu et al., LoRA (2021).
//
// Files as the field's converters write them: `general.type` "adapter", `adapter.type` "lora", and
// for each changed tensor NAME two others, NAME.lora_a and NAME.lora_b.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/model.h"

namespace kinglet::inference {

/// The change of one tensor, in the file's own blocks. For a matrix of n_out rows and n_in columns:
/// a is (rank, n_in), b is (n_out, rank). For the token embedding a is (n_vocabulary, rank), of
/// which a token takes its row, and b (n_embedding, rank).
struct LoraPair {
  Weight a;
  Weight b;
  /// What alpha and the rank make of a scale of 1.
  float scale = 1;

  std::uint32_t rank() const { return b.n_columns; }
};

/// An adapter file, checked against the model it is for. Immutable and shared; holds the mapping.
class Lora {
 public:
  /// Errors name file and key or tensor: kInvalidArgument for a file that is no adapter, or one of
  /// another model; kUnsupported for a kind of adapter we do not have; kCorrupt for tensors that
  /// lack their other half or contradict each other; load() also kNumeric for Inf and NaN.
  static Result<std::shared_ptr<const Lora>> load(const std::filesystem::path& path,
                                                  const Model& model);
  /// The same of a file already open.
  static Result<std::shared_ptr<const Lora>> from_gguf(Gguf&& gguf, const Model& model);

  /// The file's name.
  std::string_view name() const;
  /// The change of the tensor an Op names; null where it stays. `layer` is ignored for roles that
  /// are not per layer.
  const LoraPair* pair(Role role, std::uint32_t layer) const;
  /// No layer from this one on has a pair with this role.
  std::uint32_t n_layers(Role role) const {
    return static_cast<std::uint32_t>(pairs_[static_cast<std::size_t>(role)].size());
  }
  std::uint32_t max_rank() const { return max_rank_; }
  /// All a's and b's.
  std::vector<const Weight*> weights() const;
  /// Whether it was checked against this very model.
  bool is_for(const Model& model) const { return model_ == &model; }

 private:
  friend class LoraReader;
  Lora() = default;

  const Model* model_ = nullptr;  // compared, never followed
  std::shared_ptr<const Gguf> gguf_;
  // [role][layer]; no rank: the tensor stays. Empty for roles that all stay.
  std::array<std::vector<LoraPair>, kRoleCount> pairs_;
  std::uint32_t max_rank_ = 0;
};

/// An adapter in use. 0 takes it off, 1 is what it was trained for, others are allowed.
struct Adapter {
  std::shared_ptr<const Lora> lora;
  float scale = 1;

  friend bool operator==(const Adapter&, const Adapter&) = default;
};
/// Their changes add up.
using Adapters = std::vector<Adapter>;

}  // namespace kinglet::inference
