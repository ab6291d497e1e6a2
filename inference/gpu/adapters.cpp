#include "inference/gpu/adapters.h"

#include <span>
#include <string>
#include <utility>

#include "inference/quant/block_format.h"

namespace kinglet::inference::gpu {

namespace {

std::vector<float> floats_of(const Weight& weight) {
  std::vector<float> floats(std::size_t{weight.n_rows} * weight.n_columns);
  weight.format->dequantize(weight.data, floats);
  return floats;
}

std::vector<float> transposed(const std::vector<float>& matrix, std::size_t n_columns) {
  const std::size_t n_rows = matrix.size() / n_columns;
  std::vector<float> result(matrix.size());
  for (std::size_t row = 0; row < n_rows; ++row) {
    for (std::size_t column = 0; column < n_columns; ++column) {
      result[column * n_rows + row] = matrix[row * n_columns + column];
    }
  }
  return result;
}

}  // namespace

Result<std::shared_ptr<const PlacedLora>> PlacedLora::place(const vulkan::Device& device,
                                                            std::shared_ptr<const Lora> lora) {
  std::shared_ptr<PlacedLora> placed(new PlacedLora);
  placed->lora_ = std::move(lora);
  const auto upload = [&](const std::vector<float>& floats,
                          std::string_view name) -> Result<vulkan::DeviceAddress> {
    const auto bytes = std::as_bytes(std::span(floats));
    vulkan::Buffer buffer =
        TRY(vulkan::Buffer::create(device, bytes.size(), vulkan::MemoryUse::kDevice, name));
    TRY(vulkan::upload(device, buffer, 0, bytes));
    return placed->buffers_.emplace_back(std::move(buffer)).address();
  };
  for (std::size_t role = 0; role < kRoleCount; ++role) {
    const std::uint32_t n_layers = placed->lora_->n_layers(static_cast<Role>(role));
    placed->pairs_[role].resize(n_layers);
    for (std::uint32_t layer = 0; layer < n_layers; ++layer) {
      const LoraPair* pair = placed->lora_->pair(static_cast<Role>(role), layer);
      if (pair == nullptr) continue;
      if (pair->a.n_columns > vulkan::kMaxColumns) {
        return fail(ErrorCode::kUnsupported,
                    std::string(placed->lora_->name()) + ": tensor " + std::string(pair->a.name) +
                        " has rows of " + std::to_string(pair->a.n_columns) +
                        " elements; the Vulkan backend takes up to " +
                        std::to_string(vulkan::kMaxColumns) + ": run with the CPU backend");
      }
      const vulkan::DeviceAddress a = TRY(upload(floats_of(pair->a), pair->a.name));
      const vulkan::DeviceAddress b =
          TRY(upload(transposed(floats_of(pair->b), pair->rank()), pair->b.name));
      placed->pairs_[role][layer] = {
          .a = {vulkan::WeightType::kF32, a, pair->a.n_rows, pair->a.n_columns},
          .b = b,
          .rank = pair->rank(),
          .n_out = pair->b.n_rows,
          .scale = pair->scale};
    }
  }
  return std::shared_ptr<const PlacedLora>(std::move(placed));
}

const PlacedPair* PlacedLora::pair(Role role, std::uint32_t layer) const {
  const std::vector<PlacedPair>& layers = pairs_[static_cast<std::size_t>(role)];
  const std::size_t index = is_per_layer(role) ? layer : 0;
  return index < layers.size() && layers[index].rank != 0 ? &layers[index] : nullptr;
}

}  // namespace kinglet::inference::gpu
