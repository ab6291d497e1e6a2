#include "inference/cpu/backend.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "inference/cpu/attention.h"
#include "inference/cpu/executor.h"
#include "inference/cpu/formats.h"
#include "inference/cpu/limits.h"
#include "inference/cpu/memory.h"
#include "inference/cpu/processors.h"
#include "inference/cpu/simd_target.h"
#include "inference/gguf.h"

namespace kinglet::inference::cpu {

namespace {

constexpr std::uint32_t kMaxThreads = 256;
constexpr std::uint32_t kMaxChunkTokens = 4096;

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

DeviceInfo device() {
  const std::uint64_t n_bytes = machine_memory();
  return DeviceInfo{
      .name = processor_name(),
      .driver = simd_target(),
      .kind = DeviceKind::kCpu,
      .memory_bytes = n_bytes != UINT64_MAX ? n_bytes : 0,
  };
}

/// Tokens that keep the threads busy for some tens of milliseconds; more where that makes the most
/// of each weight that is read, for a pass is given up between two layers, too.
std::uint32_t default_chunk(const Model& model, Activations activations, std::uint32_t n_threads) {
  const bool in_bytes = activations == Activations::kInt8;
  const std::uint64_t work_per_thread = in_bytes ? 4'000'000'000 : 300'000'000;  // multiplications
  const std::uint64_t n =
      n_threads * work_per_thread / std::max<std::uint64_t>(model.n_parameters(), 1);
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(n / 8 * 8, in_bytes ? 64 : 16, in_bytes ? 256 : 128));
}

Result<void> check_model(const Model& model) {
  const HyperParameters& h = model.hyper_parameters();
  if (h.head_dim > kMaxHeadDim) {
    return fail(ErrorCode::kUnsupported,
                model.name() + ": heads of " + std::to_string(h.head_dim) +
                    "; the CPU backend takes up to " + std::to_string(kMaxHeadDim));
  }
  for (const TensorSpec& spec : model.architecture().tensors) {
    for (std::uint32_t layer = 0; layer < (is_per_layer(spec.role) ? h.n_layers : 1); ++layer) {
      const Weight* weight = model.weight(spec.role, layer);
      if (weight != nullptr && find_format(weight->format->type) == nullptr) {
        return fail(ErrorCode::kUnsupported,
                    model.name() + ": tensor " + std::string(weight->name) + " is " +
                        std::string(weight->format->name) +
                        ", for which the CPU backend has no kernel");
      }
    }
  }
  return {};
}

Result<void> check_options(const ExecutorOptions& options) {
  if (options.n_threads <= kMaxThreads && options.chunk_tokens <= kMaxChunkTokens) return {};
  return fail(ErrorCode::kInvalidArgument,
              "CPU backend: at most " + std::to_string(kMaxThreads) + " threads and chunks of " +
                  std::to_string(kMaxChunkTokens) + " tokens");
}

std::uint32_t threads_of(const ExecutorOptions& options) {
  if (options.n_threads != 0) return options.n_threads;
  // A core's second thread would wait for the same memory and the same multipliers.
  return std::min(find_processors().n_fast_cores, kMaxThreads);
}

}  // namespace

Result<std::vector<DeviceInfo>> devices() {
  return std::vector<DeviceInfo>{device()};
}

Result<DeviceLimits> measure_limits(const ExecutorOptions& options) {
  TRY(check_options(options));
  return measure_limits(threads_of(options));
}

Result<std::unique_ptr<Executor>> create_executor(std::shared_ptr<const Model> model,
                                                  const ExecutorOptions& options) {
  TRY(check_model(*model));
  TRY(check_options(options));
  const HyperParameters& h = model->hyper_parameters();
  const std::uint32_t n_threads = threads_of(options);
  const std::uint32_t chunk_tokens = options.chunk_tokens != 0
                                         ? options.chunk_tokens
                                         : default_chunk(*model, options.activations, n_threads);
  KvStore store = TRY(KvStore::create(h, options.kv_format, pages_for(options.n_kv_tokens)));
  auto threads =
      std::make_unique<ThreadPool>(n_threads, place_threads(find_processors(), n_threads));
  Weights weights = TRY(Weights::place(*model, options.activations, *threads, options.progress));
  const ExecutorInfo info{
      .backend = "cpu",
      .device = device(),
      .kv_format = options.kv_format,
      .activations = options.activations,
      .chunk_tokens = chunk_tokens,
      .n_threads = n_threads,
      .weight_bytes = weights.n_bytes(),
      .kv_bytes = store.n_bytes(),
  };
  auto executor = std::make_unique<CpuExecutor>(
      std::move(model),
      info,
      options.lowering,
      options.n_kv_tokens,
      CpuExecutor::Placed{std::move(threads), std::move(store), std::move(weights)});
  if (options.progress) options.progress(1.0F);
  return executor;
}

}  // namespace kinglet::inference::cpu
