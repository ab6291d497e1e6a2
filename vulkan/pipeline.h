// Compiled kernels.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "vulkan/device.h"
#include "vulkan/kernels/all.h"
#include "vulkan/spirv.h"
#include "vulkan/unique.h"

namespace kinglet::vulkan {

/// What a kernel leaves open until it is compiled for a device.
struct Specialization {
  /// Of `constant_id` 0, 1, …; those after the last keep the kernel's defaults.
  std::vector<std::uint32_t> constants = {};
  /// Invocations of a subgroup, all of them there: between the device's minimum and maximum, and a
  /// divisor of the workgroup's width. 0: whatever the driver takes. REQUIRES
  /// optional.subgroup_size_control.
  std::uint32_t subgroup_size = 0;

  friend bool operator<(const Specialization& a, const Specialization& b) {
    return std::tie(a.constants, a.subgroup_size) < std::tie(b.constants, b.subgroup_size);
  }
};

struct PipelineStatistic {
  std::string name;  // the driver's: "VGPRs", "Spilled VGPRs"
  double value = 0;
};

class Pipeline {
 public:
  Pipeline(const Kernel& kernel,
           ShaderInfo shader,
           Unique<VkPipelineLayout> layout,
           Unique<VkPipeline> pipeline)
      : kernel_(&kernel),
        shader_(shader),
        layout_(std::move(layout)),
        pipeline_(std::move(pipeline)) {}

  const Kernel& kernel() const { return *kernel_; }
  const ShaderInfo& shader() const { return shader_; }
  VkPipelineLayout layout() const { return layout_.get(); }
  VkPipeline handle() const { return pipeline_.get(); }

 private:
  const Kernel* kernel_;
  ShaderInfo shader_;
  Unique<VkPipelineLayout> layout_;
  Unique<VkPipeline> pipeline_;
};

/// What the driver tells of a compiled pipeline; the device was made with capture_statistics and
/// has optional.executable_statistics, else empty.
Result<std::vector<PipelineStatistic>> statistics(const Device& device, const Pipeline& pipeline);

/// The pipelines of all kernels on one device, compiled when first asked for.
/// Thread safety: one thread at a time.
class Pipelines {
 public:
  /// `cache_file`: where compiled pipelines are kept between runs; empty: nowhere. A file that is
  /// missing, damaged or another device's is as good as none (see device_file.h).
  static Result<std::unique_ptr<Pipelines>> create(const Device& device,
                                                   std::filesystem::path cache_file = {});

  const Device& device() const { return *device_; }
  Result<const Pipeline*> get(const Kernel& kernel, const Specialization& specialization = {});
  /// Writes the cache file if something was compiled since it was read.
  Result<void> save();
  /// How many had to be compiled, because the cache file did not have them. Where the device lacks
  /// optional.creation_cache_control, or captures statistics, nobody knows: all of them.
  std::size_t n_compiled() const { return n_compiled_; }
  std::size_t size() const { return pipelines_.size(); }

 private:
  explicit Pipelines(const Device& device) : device_(&device) {}

  const Device* device_;
  std::filesystem::path cache_file_;
  Unique<VkPipelineCache> cache_;
  bool may_hold_pipelines_ = false;  // cache_, before the first is compiled
  std::size_t n_compiled_ = 0;
  std::size_t n_saved_ = 0;  // of them
  std::map<std::pair<const Kernel*, Specialization>, Pipeline> pipelines_;
};

}  // namespace kinglet::vulkan
