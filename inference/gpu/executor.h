// A model on a Vulkan device.
#pragma once

#include <array>
#include <functional>
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

  std::optional<PassRecord> last_pass() const override;
  void time_kernels(bool on) override;

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
    std::optional<vulkan::Buffer> split_scratch;
    std::optional<vulkan::Buffer> counters;  // of attention, then of the greedy choice; zeros
    std::optional<vulkan::Buffer> inputs;    // ids, positions, page tables
    std::optional<vulkan::Buffer> staging;   // the same, where the host writes
    std::optional<vulkan::Buffer> history;   // ids that the device chose
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

  Result<std::uint32_t> run_greedy(const Batch& batch, std::span<TokenId> next) override;

  /// A recorded pass.
  struct Kept {
    PassShape shape;
    std::uint64_t work_limit = 0;
    std::vector<Part> parts;
    Extent layers;
  };

  /// Work that uses the device: refused once it is lost, and told of if it loses it.
  template <class T>
  Result<T> on_device(const std::function<Result<T>()>& work);
  Result<void> extend_rope(RopeFactorSet factor_set, std::uint32_t n_positions);
  Result<void> copy_on_device(const PageCopy& copy);
  Result<void> replace_adapters(const Adapters& adapters);
  Result<void> compute(const Batch& batch);
  Result<std::uint32_t> choose(const Batch& batch, std::span<TokenId> next);
  PassShape shape_of(const Batch& batch) const;
  void write_inputs(const Batch& batch);
  Result<void> record_uploads();
  Result<void> reserve_logits(std::uint32_t n_rows);
  /// A recording that was made before tells the traffic of its own number of positions.
  Result<Kept*> record(const PassShape& shape, std::uint32_t n_positions);
  SubmitBudget& budget(const PassShape& shape) {
    return shape.n_tokens > kFewTokens ? many_tokens_ : few_tokens_;
  }
  /// Runs of one part, after the inputs' way to the device where it is the first.
  Result<void> run_part(const PassShape& shape, Part& part, bool is_first, std::uint32_t n_runs);

  Placed placed_;
  Workspace workspace_;
  std::unique_ptr<const vulkan::Operations> adapter_operations_;  // null until wanted
  std::optional<vulkan::Buffer> narrow_;               // between the halves of an adapter's product
  std::array<std::optional<vulkan::Buffer>, 2> rope_;  // by factor set
  std::array<std::uint32_t, 2> n_rope_positions_ = {};
  // Of the most rows wanted so far; the second is where the host reads.
  std::optional<vulkan::Buffer> logits_;
  std::optional<vulkan::Buffer> host_logits_;

  // Few tokens wait for memory, many for arithmetic: a device has two speeds.
  static constexpr std::uint32_t kFewTokens = 16;
  SubmitBudget few_tokens_;
  SubmitBudget many_tokens_;
  std::array<std::optional<vulkan::Stream>, 2> uploads_;  // of inputs: one page table, or many
  std::vector<Kept> recordings_;                          // the last used first
  bool device_is_lost_ = false;
};

}  // namespace kinglet::inference::gpu
