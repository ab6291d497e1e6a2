// Seeded adapters for any model file, and the model that has one merged into its weights: what the
// engine must compute with the adapter on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inference/backend.h"
#include "inference/gguf.h"
#include "inference/lora.h"
#include "inference/quant/block_format.h"
#include "tests/inference/gguf_writer.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

struct SyntheticLora {
  std::uint64_t seed = 1;
  std::uint32_t rank = 8;
  float alpha = 16;
  inference::TensorType type = inference::TensorType::kF32;
  /// Names of the model's tensors that it changes; empty: all matrices.
  std::vector<std::string> targets = {};
};

/// An adapter file, open to damage. Its changes are about as large as the weights.
GgufWriter synthetic_lora(const GgufWriter& model, const SyntheticLora& shape);
GgufWriter synthetic_lora(const inference::Gguf& model, const SyntheticLora& shape);

/// The model with each changed tensor replaced by W + scale * alpha / rank * B A, as F32, computed
/// in float64 and by the reference's reading of the blocks.
GgufWriter merge_lora(GgufWriter model, const GgufWriter& lora, double scale);

/// An adapter in memory.
struct LoadedLora {
  Bytes bytes;  // the adapter's weights point into it
  std::shared_ptr<const inference::Lora> lora;
};
/// Throws std::runtime_error when it does not load.
LoadedLora load_lora(const GgufWriter& lora, const inference::Model& model);

struct LoraUse {
  SyntheticLora shape;
  float scale = 1;
};
/// Models and adapters that every backend must compute right.
struct LoraCase {
  std::string name;
  SyntheticModel model;
  std::vector<LoraUse> uses;
};
std::vector<LoraCase> lora_cases();

/// What an executor computes of 48 tokens with these adapters on, against the reference of the
/// model they are merged into: max |difference| / standard deviation.
using MakeExecutor =
    std::function<std::unique_ptr<inference::Executor>(std::shared_ptr<const inference::Model>)>;
double lora_error(const MakeExecutor& make_executor,
                  const GgufWriter& model,
                  const std::vector<LoraUse>& uses);

}  // namespace kinglet::test
