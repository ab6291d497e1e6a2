#include "inference/gpu/weights.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <string>

#include "inference/gguf.h"
#include "inference/quant/block_format.h"

namespace kinglet::inference::gpu {

namespace {

std::optional<vulkan::WeightType> weight_type(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return vulkan::WeightType::kF32;
    case TensorType::kF16:
      return vulkan::WeightType::kF16;
    case TensorType::kBF16:
      return vulkan::WeightType::kBF16;
    case TensorType::kQ4_0:
      return vulkan::WeightType::kQ4_0;
    case TensorType::kQ4_1:
      return vulkan::WeightType::kQ4_1;
    case TensorType::kQ5_0:
      return vulkan::WeightType::kQ5_0;
    case TensorType::kQ5_1:
      return vulkan::WeightType::kQ5_1;
    case TensorType::kQ8_0:
      return vulkan::WeightType::kQ8_0;
    case TensorType::kQ4_K:
      return vulkan::WeightType::kQ4_K;
    case TensorType::kQ5_K:
      return vulkan::WeightType::kQ5_K;
    case TensorType::kQ6_K:
      return vulkan::WeightType::kQ6_K;
    case TensorType::kIQ4_NL:
      return vulkan::WeightType::kIQ4_NL;
    case TensorType::kIQ4_XS:
      return vulkan::WeightType::kIQ4_XS;
  }
  return std::nullopt;
}

struct Use {
  Role role;
  std::uint32_t layer;
  bool is_vector;
  const Weight* weight;
};

std::vector<Use> uses_of(const Model& model) {
  std::vector<Use> uses;
  const auto add = [&](std::span<const Op> ops, std::uint32_t layer) {
    for (const Op& op : ops) {
      if (op.weight) {
        const bool is_norm = op.kind == OpKind::kRmsNorm || op.kind == OpKind::kLayerNorm ||
                             op.kind == OpKind::kHeadRmsNorm;
        uses.push_back({*op.weight, layer, is_norm, &model.required(*op.weight, layer)});
      }
      const Weight* bias = op.bias ? model.weight(*op.bias, layer) : nullptr;
      if (bias != nullptr) uses.push_back({*op.bias, layer, true, bias});
    }
  };
  add(model.architecture().embed, 0);
  for (std::uint32_t layer = 0; layer < model.hyper_parameters().n_layers; ++layer) {
    add(model.architecture().layer, layer);
  }
  add(model.architecture().output, 0);
  return uses;
}

Result<void> check(const Model& model, const Use& use) {
  const std::string tensor = model.name() + ": tensor " + std::string(use.weight->name);
  if (!use.is_vector && !weight_type(use.weight->format->type)) {
    return fail(ErrorCode::kUnsupported,
                tensor + " is " + std::string(use.weight->format->name) +
                    ", for which the Vulkan backend has no kernel; run with the CPU backend");
  }
  if (!use.is_vector && use.weight->n_columns > vulkan::kMaxColumns) {
    return fail(ErrorCode::kUnsupported,
                tensor + " has rows of " + std::to_string(use.weight->n_columns) +
                    " elements; the Vulkan backend takes up to " +
                    std::to_string(vulkan::kMaxColumns) + ": run with the CPU backend");
  }
  return {};
}

vulkan::Matrix matrix_of(const Use& use, vulkan::DeviceAddress address) {
  const Weight& weight = *use.weight;
  const auto type = use.is_vector ? vulkan::WeightType::kF32 : *weight_type(weight.format->type);
  return {type, address, weight.n_rows, weight.n_columns};
}

}  // namespace

Result<std::vector<vulkan::WeightType>> Weights::types_of(const Model& model) {
  std::vector<vulkan::WeightType> types;
  for (const Use& use : uses_of(model)) {
    TRY(check(model, use));
    if (use.is_vector) continue;
    const vulkan::WeightType type = *weight_type(use.weight->format->type);
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  }
  return types;
}

Result<Weights> Weights::place(const vulkan::Device& device,
                               const Model& model,
                               const std::function<void(float)>& progress) {
  const std::vector<Use> uses = uses_of(model);
  Weights weights;
  // A tensor may have two roles (tied output): it is placed once.
  std::map<const std::byte*, vulkan::DeviceAddress> placed;
  std::vector<float> floats;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const Use& use = uses[i];
    const Weight& weight = *use.weight;
    auto [address, is_new] = placed.try_emplace(weight.data.data(), 0);
    if (is_new) {
      TRY(model.gguf().check_finite(*model.gguf().find_tensor(weight.name)));
      std::span<const std::byte> bytes = weight.data;
      if (use.is_vector) {
        floats.resize(weight.n_columns);
        weight.format->dequantize(weight.data, floats);
        bytes = std::as_bytes(std::span(floats));
      }
      vulkan::Buffer buffer = TRY(
          vulkan::Buffer::create(device, bytes.size(), vulkan::MemoryUse::kDevice, weight.name));
      TRY(vulkan::upload(device, buffer, 0, bytes));
      // The device has them: no need for the file's pages to stay beside.
      model.gguf().release(weight.data);
      address->second = buffer.address();
      weights.n_bytes_ += buffer.size();
      weights.buffers_.push_back(std::move(buffer));
    }
    weights.put(use.role, use.layer, matrix_of(use, address->second));
    if (progress) progress(static_cast<float>(i + 1) / static_cast<float>(uses.size()));
  }
  return weights;
}

Weights Weights::unplaced(const Model& model) {
  Weights weights;
  for (const Use& use : uses_of(model))
    weights.put(use.role, use.layer, matrix_of(use, vulkan::kMatrixAlignment));
  return weights;
}

void Weights::put(Role role, std::uint32_t layer, const vulkan::Matrix& matrix) {
  auto& layers = matrices_[static_cast<std::size_t>(role)];
  layers.resize(std::max<std::size_t>(layers.size(), layer + std::size_t{1}));
  layers[layer] = matrix;
}

const vulkan::Matrix& Weights::matrix(Role role, std::uint32_t layer) const {
  const auto& layers = matrices_[static_cast<std::size_t>(role)];
  assert(!layers.empty());
  return layers[is_per_layer(role) ? layer : 0];
}

vulkan::DeviceAddress Weights::vector(Role role, std::uint32_t layer) const {
  const auto& layers = matrices_[static_cast<std::size_t>(role)];
  const std::uint32_t index = is_per_layer(role) ? layer : 0;
  return index < layers.size() ? layers[index].address : 0;
}

}  // namespace kinglet::inference::gpu
