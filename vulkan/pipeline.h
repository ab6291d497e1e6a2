// Compiled kernels.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vulkan/device.h"
#include "vulkan/kernels/all.h"
#include "vulkan/spirv.h"
#include "vulkan/unique.h"

namespace kinglet::vulkan {

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
  /// missing, damaged or another device's is as good as none (see pipeline_cache.h).
  static Result<std::unique_ptr<Pipelines>> create(const Device& device,
                                                   std::filesystem::path cache_file = {});

  const Device& device() const { return *device_; }
  Result<const Pipeline*> get(const Kernel& kernel);
  /// Writes the cache file if something was compiled since it was read.
  Result<void> save();

 private:
  explicit Pipelines(const Device& device) : device_(&device) {}

  const Device* device_;
  std::filesystem::path cache_file_;
  Unique<VkPipelineCache> cache_;
  bool compiled_ = false;
  std::map<const Kernel*, Pipeline> pipelines_;
};

}  // namespace kinglet::vulkan
