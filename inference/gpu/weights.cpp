#include "inference/gpu/weights.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "inference/cpu/thread_pool.h"
#include "inference/gguf.h"
#include "inference/quant/block_format.h"
#include "vulkan/uploader.h"

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

/// Brings tensors to a device at the pace of the slowest of file, memory and bus: while the device
/// takes one part, threads check and copy the next, and the system reads what comes then.
class Loader {
 public:
  static Result<Loader> create(const vulkan::Device& device, const Model& model) {
    return Loader(TRY(vulkan::Uploader::create(device)), model);
  }

  /// The numbers of a matrix as they lie in the file. kNumeric names a tensor that is not finite.
  Result<void> add_blocks(const Weight& weight, const vulkan::Buffer& to) {
    std::uint64_t n_done = 0;
    while (n_done < weight.data.size()) {
      const std::uint64_t n_left = weight.data.size() - n_done;
      const std::span<std::byte> room = TRY(uploader_.room(to, n_done, n_left));
      if (!copy_finite(weight, n_done, room)) {
        return model_->gguf().check_finite(*model_->gguf().find_tensor(weight.name));
      }
      n_done += room.size();
    }
    return {};
  }

  /// The numbers of a vector as floats.
  Result<void> add_floats(const Weight& weight, const vulkan::Buffer& to) {
    TRY(model_->gguf().check_finite(*model_->gguf().find_tensor(weight.name)));
    floats_.resize(weight.n_columns);
    weight.format->dequantize(weight.data, floats_);
    return uploader_.add(to, 0, std::as_bytes(std::span(floats_)));
  }

  Result<void> finish() { return uploader_.finish(); }

 private:
  Loader(vulkan::Uploader uploader, const Model& model)
      : uploader_(std::move(uploader)),
        model_(&model),
        pool_(std::make_unique<cpu::ThreadPool>(
            std::clamp(std::thread::hardware_concurrency(), 1U, kMaxLoaders))) {}

  /// Copies `to.size()` bytes of the tensor from `offset` on; whether the blocks that begin in them
  /// are finite. Each piece is checked and copied while it is in a core's cache.
  bool copy_finite(const Weight& weight, std::uint64_t offset, std::span<std::byte> to) {
    const std::uint64_t block = weight.format->block_bytes;
    const auto next_block = [&](std::uint64_t at) { return (at + block - 1) / block * block; };
    const auto n_pieces = static_cast<std::uint32_t>((to.size() + kPieceBytes - 1) / kPieceBytes);
    std::atomic<bool> finite = true;
    pool_->for_each(n_pieces, [&](std::uint32_t piece, std::uint32_t /*thread*/) {
      const std::uint64_t begin = piece * kPieceBytes;
      const std::uint64_t n_bytes = std::min(kPieceBytes, to.size() - begin);
      const std::uint64_t first = next_block(offset + begin);
      const std::uint64_t last = next_block(offset + begin + n_bytes);
      if (first < last && !weight.format->all_finite(weight.data.subspan(first, last - first))) {
        finite = false;
      }
      std::memcpy(to.data() + begin, weight.data.data() + offset + begin, n_bytes);
    });
    return finite;
  }

  static constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;
  // More do not make a bus or a disk faster.
  static constexpr std::uint32_t kMaxLoaders = 8;

  vulkan::Uploader uploader_;
  const Model* model_;
  std::unique_ptr<cpu::ThreadPool> pool_;
  std::vector<float> floats_;
};

/// How far ahead of what is copied the system is told to read.
constexpr std::uint64_t kPrefetchBytes = std::uint64_t{256} << 20;

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
  Loader loader = TRY(Loader::create(device, model));
  std::size_t n_prefetched = 0;
  std::uint64_t ahead = 0;  // bytes prefetched and not yet copied
  for (std::size_t i = 0; i < uses.size(); ++i) {
    for (; n_prefetched < uses.size() && ahead < kPrefetchBytes; ++n_prefetched) {
      const std::span<const std::byte> next = uses[n_prefetched].weight->data;
      model.gguf().prefetch(next);
      ahead += next.size();
    }
    const Use& use = uses[i];
    const Weight& weight = *use.weight;
    auto [address, is_new] = placed.try_emplace(weight.data.data(), 0);
    if (is_new) {
      const std::uint64_t n_bytes =
          use.is_vector ? weight.n_columns * sizeof(float) : weight.data.size();
      // Kept before it is filled: where that fails, copies to it may be under way.
      weights.buffers_.push_back(
          TRY(vulkan::Buffer::create(device, n_bytes, vulkan::MemoryUse::kDevice, weight.name)));
      const vulkan::Buffer& buffer = weights.buffers_.back();
      TRY(use.is_vector ? loader.add_floats(weight, buffer) : loader.add_blocks(weight, buffer));
      // They are copied: no need for the file's pages to stay beside.
      model.gguf().release(weight.data);
      address->second = buffer.address();
      weights.n_bytes_ += buffer.size();
    }
    ahead -= weight.data.size();
    weights.put(use.role, use.layer, matrix_of(use, address->second));
    if (progress) progress(static_cast<float>(i + 1) / static_cast<float>(uses.size()));
  }
  TRY(loader.finish());
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
