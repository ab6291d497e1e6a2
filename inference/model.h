// A model file, understood: its architecture, checked hyperparameters, and every tensor found by
// role, with a shape that fits. Nothing is copied: weights stay in the file's own blocks, mapped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/models/architecture.h"
#include "inference/rope.h"

namespace kinglet::inference {

class Gguf;
class Vocabulary;
struct BlockFormat;  // inference/quant/block_format.h

/// A tensor as it lies in the file: `n_rows` rows of `n_columns` elements, in blocks of `format`.
/// Rows are whole numbers of blocks and follow each other without gaps; `data` has exactly
/// n_rows * row_bytes() bytes. A vector is one row.
struct Weight {
  std::string_view name;
  const BlockFormat* format = nullptr;
  std::uint32_t n_columns = 0;
  std::uint32_t n_rows = 0;
  std::span<const std::byte> data;

  std::size_t row_bytes() const { return data.size() / n_rows; }
  std::span<const std::byte> row(std::size_t index) const {
    return data.subspan(index * row_bytes(), row_bytes());
  }
};

/// Immutable and shared: executors, tokenizer and engine hold the same one.
class Model {
 public:
  /// Reads and checks everything but the weights' values. Errors name file and key or tensor:
  /// kUnsupported for an architecture, scaling, tensor or block format we do not have, kCorrupt for
  /// values that contradict each other.
  static Result<std::shared_ptr<const Model>> load(const std::filesystem::path& path);
  /// The same of a file already open.
  static Result<std::shared_ptr<const Model>> from_gguf(Gguf&& gguf);

  const Architecture& architecture() const { return *architecture_; }
  const HyperParameters& hyper_parameters() const { return hyper_parameters_; }
  const Gguf& gguf() const { return *gguf_; }
  const std::shared_ptr<const Vocabulary>& vocabulary() const { return vocabulary_; }
  /// `general.name`, else the file's name.
  const std::string& name() const { return name_; }

  /// The tensor with this role (its fallback, where the file has only that); null for an optional
  /// one that is not there. `layer` is ignored for roles that are not per layer.
  const Weight* weight(Role role, std::uint32_t layer = 0) const;

  /// The same as weight(), for tensors the architecture requires.
  const Weight& required(Role role, std::uint32_t layer = 0) const;

  /// Bytes and elements of all weights; each counted once.
  std::uint64_t weight_bytes() const { return weight_bytes_; }
  std::uint64_t n_parameters() const { return n_parameters_; }

  /// The factor set of a sequence that may grow to `max_tokens` positions.
  RopeFactorSet rope_factor_set(std::uint32_t max_tokens) const;
  /// What rope.h needs to compute the table of a factor set.
  RopeSpec rope_spec(RopeFactorSet factor_set) const;

 private:
  Model() = default;

  std::shared_ptr<const Gguf> gguf_;  // the mapping the weights point into
  const Architecture* architecture_ = nullptr;
  HyperParameters hyper_parameters_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::string name_;
  // [role][layer], one layer for roles that are not per layer; empty format: absent.
  std::array<std::vector<Weight>, kRoleCount> weights_;
  std::vector<float> rope_factors_long_;
  std::vector<float> rope_factors_short_;  // or those for any length
  std::uint64_t weight_bytes_ = 0;
  std::uint64_t n_parameters_ = 0;

  friend class ModelReader;
};

}  // namespace kinglet::inference
