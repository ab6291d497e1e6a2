#include "inference/gpu/adapters.h"

#include <algorithm>
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

/// Matrices on their way to the device: hundreds of small ones in few buffers, because each buffer
/// costs an allocation and a copy that is waited for.
class Upload {
 public:
  Upload(const vulkan::Device& device, std::string_view name, std::vector<vulkan::Buffer>& buffers)
      : device_(device), name_(name), buffers_(buffers) {}

  /// `*address` is known once the upload is flushed.
  Result<void> add(const std::vector<float>& floats, vulkan::DeviceAddress* address) {
    if (!floats_.empty() && floats_.size() + floats.size() > kMostFloats) TRY(flush());
    waiting_.push_back({floats_.size() * sizeof(float), address});
    floats_.insert(floats_.end(), floats.begin(), floats.end());
    floats_.resize((floats_.size() + kAlignment - 1) / kAlignment * kAlignment);
    return {};
  }

  Result<void> flush() {
    if (floats_.empty()) return {};
    const auto bytes = std::as_bytes(std::span(floats_));
    vulkan::Buffer buffer =
        TRY(vulkan::Buffer::create(device_, bytes.size(), vulkan::MemoryUse::kDevice, name_));
    TRY(vulkan::upload(device_, buffer, 0, bytes));
    for (const Waiting& matrix : waiting_)
      *matrix.address = buffer.address() + matrix.offset;
    buffers_.push_back(std::move(buffer));
    waiting_.clear();
    floats_.clear();
    return {};
  }

 private:
  static constexpr std::size_t kMostFloats = std::size_t{16} << 20;  // of the host's memory, too
  static constexpr std::size_t kAlignment = 64;                      // in floats
  static_assert(kAlignment * sizeof(float) % vulkan::kMatrixAlignment == 0);

  struct Waiting {
    std::uint64_t offset;
    vulkan::DeviceAddress* address;
  };

  const vulkan::Device& device_;
  std::string_view name_;
  std::vector<vulkan::Buffer>& buffers_;
  std::vector<float> floats_;
  std::vector<Waiting> waiting_;
};

}  // namespace

Result<std::shared_ptr<const PlacedLora>> PlacedLora::place(const vulkan::Device& device,
                                                            std::shared_ptr<const Lora> lora) {
  std::shared_ptr<PlacedLora> placed(new PlacedLora);
  placed->lora_ = std::move(lora);
  Upload upload(device, placed->lora_->name(), placed->buffers_);
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
      PlacedPair& there = placed->pairs_[role][layer];
      there = {.a = {vulkan::WeightType::kF32, 0, pair->a.n_rows, pair->a.n_columns},
               .rank = pair->rank(),
               .n_out = pair->b.n_rows,
               .scale = pair->scale};
      TRY(upload.add(floats_of(pair->a), &there.a.address));
      TRY(upload.add(transposed(floats_of(pair->b), pair->rank()), &there.b));
    }
  }
  TRY(upload.flush());
  return std::shared_ptr<const PlacedLora>(std::move(placed));
}

const PlacedPair* PlacedLora::pair(Role role, std::uint32_t layer) const {
  const std::vector<PlacedPair>& layers = pairs_[static_cast<std::size_t>(role)];
  const std::size_t index = is_per_layer(role) ? layer : 0;
  return index < layers.size() && layers[index].rank != 0 ? &layers[index] : nullptr;
}

}  // namespace kinglet::inference::gpu
