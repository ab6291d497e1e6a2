// A model's weights in device memory: matrices in the file's own blocks, vectors as f32.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "inference/model.h"
#include "vulkan/operations.h"

namespace kinglet::inference::gpu {

class Weights {
 public:
  /// The formats of the tensors that operations of the architecture multiply with. kUnsupported for
  /// a block format or shape without a kernel; names the tensor.
  static Result<std::vector<vulkan::WeightType>> types_of(const Model& model);

  /// Copies these tensors. REQUIRES types_of() to have succeeded. `progress` gets 0..1.
  /// kOutOfMemory names the tensor.
  static Result<Weights> place(const vulkan::Device& device,
                               const Model& model,
                               const std::function<void(float)>& progress);

  /// As place() would have it, but nowhere: for recordings that nobody runs. REQUIRES types_of() to
  /// have succeeded.
  static Weights unplaced(const Model& model);

  /// Of an Op's weight. `layer` is ignored for roles that are not per layer.
  const vulkan::Matrix& matrix(Role role, std::uint32_t layer) const;
  /// Of an Op's norm or bias, f32; 0 where the file has none.
  vulkan::DeviceAddress vector(Role role, std::uint32_t layer) const;
  std::uint64_t n_bytes() const { return n_bytes_; }

 private:
  void put(Role role, std::uint32_t layer, const vulkan::Matrix& matrix);

  std::vector<vulkan::Buffer> buffers_;
  std::array<std::vector<vulkan::Matrix>, kRoleCount> matrices_;  // [role][layer]
  std::uint64_t n_bytes_ = 0;
};

}  // namespace kinglet::inference::gpu
