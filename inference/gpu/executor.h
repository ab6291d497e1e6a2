// A model on a Vulkan device.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "inference/backend.h"
#include "inference/gpu/recording.h"
#include "inference/gpu/submit_budget.h"
#include "inference/gpu/weights.h"

namespace kinglet::inference::gpu {

class GpuExecutor final : public Executor {
 public:
  /// Places weights, cache and activations. `info` with backend, device, kv_format and chunk_tokens
  /// as they are to be used; the bytes are filled in.
  static Result<std::unique_ptr<GpuExecutor>> create(std::shared_ptr<const Model> model,
                                                     std::unique_ptr<const vulkan::Device> device,
                                                     const ExecutorInfo& info,
                                                     const ExecutorOptions& options);

 private:
  /// What the device holds. Members are destroyed from the last to the first: recordings refer to
  /// buffers, everything to the device.
  struct Placed {
    std::unique_ptr<const vulkan::Device> device;
    std::unique_ptr<vulkan::Pipelines> pipelines;
    std::unique_ptr<const vulkan::Operations> operations;
    Weights weights;
    std::vector<vulkan::Buffer> keys;  // by layer
    std::vector<vulkan::Buffer> values;
    std::vector<vulkan::Buffer> slots;
    std::optional<vulkan::Buffer> scratch;
    std::optional<vulkan::Buffer> inputs;  // ids, positions, pages; written by the host
    std::uint64_t kv_bytes = 0;
    std::uint64_t activation_bytes = 0;
  };

  GpuExecutor(std::shared_ptr<const Model> model,
              ExecutorInfo info,
              std::uint32_t n_kv_tokens,
              Placed placed);

  static Result<Placed> place(const Model& model,
                              std::unique_ptr<const vulkan::Device> owned,
                              const ExecutorInfo& info,
                              const ExecutorOptions& options);

  Result<void> prepare_rope(RopeFactorSet factor_set, std::uint32_t n_positions) override;
  Result<void> copy_page(const PageCopy& copy) override;
  Result<void> run(const Batch& batch) override;
  Result<void> place_adapters(const Adapters& adapters) override;

  Result<void> run_on_device(const Batch& batch);
  void write_inputs(const Batch& batch);
  Result<void> reserve_logits(std::uint32_t n_rows);
  Result<void> record(const PassShape& shape);
  Result<void> run_part(Part& part);

  Placed placed_;
  Workspace workspace_;
  std::unique_ptr<const vulkan::Operations> adapter_operations_;  // null until wanted
  std::optional<vulkan::Buffer> narrow_;               // between the halves of an adapter's product
  std::array<std::optional<vulkan::Buffer>, 2> rope_;  // by factor set
  std::array<std::uint32_t, 2> n_rope_positions_ = {};
  // Of the most rows wanted so far; the second is where the host reads.
  std::optional<vulkan::Buffer> logits_;
  std::optional<vulkan::Buffer> host_logits_;

  SubmitBudget budget_;
  PassShape recorded_;
  std::uint64_t recorded_limit_ = 0;
  std::vector<Part> parts_;  // empty: nothing recorded
  bool device_is_lost_ = false;
};

}  // namespace kinglet::inference::gpu
