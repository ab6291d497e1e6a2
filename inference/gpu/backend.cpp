#include "inference/gpu/backend.h"

#include <algorithm>
#include <charconv>
#include <string>

#include <unistd.h>

#include "inference/gpu/executor.h"
#include "vulkan/device.h"
#include "vulkan/operations/tiles.h"
#include "vulkan/probe.h"

namespace kinglet::inference::gpu {

namespace {

// Enough tokens to fill a GPU, and to read the weights seldom; whoever cancels waits for a submit,
// not for the chunk. A software driver works in the same tiles, and slowly.
constexpr std::uint32_t kGpuChunk = 512;
constexpr std::uint32_t kSoftwareChunk = 32;

DeviceKind kind_of(vulkan::DeviceType type) {
  switch (type) {
    case vulkan::DeviceType::kDiscrete:
      return DeviceKind::kDiscreteGpu;
    case vulkan::DeviceType::kIntegrated:
      return DeviceKind::kIntegratedGpu;
    case vulkan::DeviceType::kVirtual:
    case vulkan::DeviceType::kOther:
      return DeviceKind::kVirtualGpu;
    case vulkan::DeviceType::kSoftware:
      break;
  }
  return DeviceKind::kSoftwareGpu;
}

std::uint64_t host_memory_bytes() {
  const long n_pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGE_SIZE);
  return n_pages > 0 && page_size > 0
             ? static_cast<std::uint64_t>(n_pages) * static_cast<std::uint64_t>(page_size)
             : 0;
}

DeviceInfo describe(const vulkan::DeviceInfo& device) {
  const DeviceKind kind = kind_of(device.type);
  return {.name = device.name,
          .driver = device.driver_name + ", " + device.driver_version,
          .kind = kind,
          // A software driver's heap is whatever it claims.
          .memory_bytes =
              kind == DeviceKind::kSoftwareGpu ? host_memory_bytes() : device.device_local_bytes()};
}

Result<vulkan::DeviceInfo> choose(const vulkan::Instance& instance, const std::string& wish) {
  if (wish.empty()) return instance.find_device({.name = {}, .software_allowed = true});
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(wish.data(), wish.data() + wish.size(), index);
  const bool is_number = error == std::errc() && end == wish.data() + wish.size();
  if (!is_number) return instance.find_device({.name = wish, .software_allowed = true});
  std::vector<vulkan::DeviceInfo> devices = instance.ranked_devices();
  if (index < devices.size()) return std::move(devices[index]);
  return fail(ErrorCode::kNotFound,
              "no Vulkan device " + wish + "; there are " + std::to_string(devices.size()) +
                  ", counted from 0 (see kinglet doctor)");
}

Result<void> check(const Model& model, const ExecutorOptions& options) {
  const HyperParameters& h = model.hyper_parameters();
  if (h.head_dim > vulkan::kMaxHeadDim) {
    return fail(ErrorCode::kUnsupported,
                model.name() + ": heads of " + std::to_string(h.head_dim) +
                    "; the Vulkan backend takes up to " + std::to_string(vulkan::kMaxHeadDim) +
                    ": run with the CPU backend");
  }
  if (options.chunk_tokens > vulkan::kMaxTokens) {
    return fail(
        ErrorCode::kInvalidArgument,
        "Vulkan backend: chunks of at most " + std::to_string(vulkan::kMaxTokens) + " tokens");
  }
  return {};
}

/// The path that the options ask for, if the device has it.
Result<ProductPath> path_of(const ExecutorOptions& options, const vulkan::DeviceInfo& device) {
  const bool is_fast = options.activations == Activations::kInt8;
  const ProductPath path = is_fast && options.product_path == ProductPath::kAuto
                               ? ProductPath::kIntegerDot
                               : options.product_path;
  if (is_fast && path != ProductPath::kIntegerDot) {
    return fail(ErrorCode::kInvalidArgument,
                "activations of 8 bits are the integer-dot path's; ask for one or the other");
  }
  const auto lacks = [&](std::string_view what) {
    return fail(ErrorCode::kUnsupported,
                device.name + " has no " + std::string(what) +
                    "; let the path be chosen, or run with the CPU backend");
  };
  const vulkan::OptionalFeatures& has = device.optional;
  if (path == ProductPath::kHalf && !has.float16_arithmetic) return lacks("f16 arithmetic");
  if (path == ProductPath::kIntegerDot && !has.integer_dot_product)
    return lacks("integer dot products");
  if (path == ProductPath::kMatrix && !vulkan::has_matrix_tiles(device))
    return lacks("cooperative matrices of a shape that there are kernels for");
  return path;
}

}  // namespace

Result<std::vector<DeviceInfo>> devices() {
  const auto instance = TRY(vulkan::Instance::create());
  // For its error, which says of each device why it does not do.
  TRY(instance->find_device({.name = {}, .software_allowed = true}));
  std::vector<DeviceInfo> result;
  for (const vulkan::DeviceInfo& device : instance->ranked_devices()) {
    result.push_back(describe(device));
  }
  return result;
}

Result<DeviceLimits> measure_limits(const ExecutorOptions& options) {
  const auto instance = TRY(vulkan::Instance::create());
  const vulkan::DeviceInfo chosen = TRY(choose(*instance, options.device));
  const auto device = TRY(vulkan::Device::create(instance, chosen));
  const auto pipelines = TRY(vulkan::Pipelines::create(*device));
  const vulkan::Peaks peaks = TRY(vulkan::measure_peaks(*device, *pipelines));
  return DeviceLimits{.read_bytes_per_s = peaks.read_bytes_per_s,
                      .copy_bytes_per_s = peaks.copy_bytes_per_s,
                      .float_flops = peaks.float_flops,
                      .byte_ops = peaks.byte_ops,
                      .half_flops = peaks.half_flops,
                      .matrix_flops = peaks.matrix_flops,
                      .dispatch_seconds = peaks.dispatch_seconds};
}

Result<std::unique_ptr<Executor>> create_executor(std::shared_ptr<const Model> model,
                                                  const ExecutorOptions& options) {
  return create_executor_on(TRY(vulkan::Instance::create()), std::move(model), options);
}

Result<std::unique_ptr<Executor>> create_executor_on(
    std::shared_ptr<const vulkan::Instance> instance,
    std::shared_ptr<const Model> model,
    const ExecutorOptions& options) {
  TRY(check(*model, options));
  const vulkan::DeviceInfo device = TRY(choose(*instance, options.device));
  const bool is_software = device.type == vulkan::DeviceType::kSoftware;
  ExecutorInfo info;
  info.backend = "vulkan";
  info.device = describe(device);
  info.kv_format = options.kv_format;
  if (device.timestamp_period_ns == 0) {
    info.remarks.emplace_back(
        "the queue that computes has no timestamps: passes are timed on the host's clock, and "
        "single kernels not at all");
  }
  ExecutorOptions chosen = options;
  chosen.product_path = TRY(path_of(options, device));
  info.activations =
      chosen.product_path == ProductPath::kIntegerDot ? Activations::kInt8 : Activations::kF32;
  info.chunk_tokens = options.chunk_tokens != 0 ? options.chunk_tokens
                      : is_software             ? kSoftwareChunk
                                                : kGpuChunk;
  return GpuExecutor::create(
      std::move(model), TRY(vulkan::Device::create(std::move(instance), device)), info, chosen);
}

}  // namespace kinglet::inference::gpu
