#include "vulkan/pipeline.h"

#include <cassert>
#include <optional>

#include "vulkan/device_file.h"
#include "vulkan/error.h"

namespace kinglet::vulkan {

namespace {

enum class From : std::uint8_t { kCacheAlone, kCacheOrCompiler };

/// Nothing when the cache alone does not do.
Result<std::optional<Pipeline>> make(const Device& device,
                                     const Kernel& kernel,
                                     const Specialization& specialization,
                                     VkPipelineCache cache,
                                     From from) {
  const DeviceTable& table = device.table();
  const std::string doing = "compiling the kernel " + std::string(kernel.name);
  const ShaderInfo shader = TRY(reflect(kernel.spirv));

  VkPushConstantRange range = {};
  range.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  range.size = shader.push_bytes;
  VkPipelineLayoutCreateInfo layout_info = {};
  layout_info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  layout_info.pushConstantRangeCount = 1;
  layout_info.pPushConstantRanges = &range;
  VkPipelineLayout layout_handle = VK_NULL_HANDLE;
  TRY_VK(table.vkCreatePipelineLayout(device.handle(), &layout_info, nullptr, &layout_handle),
         doing);
  Unique<VkPipelineLayout> layout(table, device.handle(), layout_handle);

  VkShaderModuleCreateInfo module_info = {};
  module_info.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  module_info.codeSize = kernel.spirv.size_bytes();
  module_info.pCode = kernel.spirv.data();
  VkShaderModule module_handle = VK_NULL_HANDLE;
  TRY_VK(table.vkCreateShaderModule(device.handle(), &module_info, nullptr, &module_handle), doing);
  const Unique<VkShaderModule> module(table, device.handle(), module_handle);

  std::vector<VkSpecializationMapEntry> entries;
  for (std::uint32_t i = 0; i < specialization.constants.size(); ++i) {
    constexpr std::uint32_t kBytes = sizeof(std::uint32_t);
    entries.push_back({i, i * kBytes, kBytes});
  }
  VkSpecializationInfo constants = {};
  constants.mapEntryCount = static_cast<std::uint32_t>(entries.size());
  constants.pMapEntries = entries.data();
  constants.dataSize = specialization.constants.size() * sizeof(std::uint32_t);
  constants.pData = specialization.constants.data();
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {};
  subgroup.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  subgroup.requiredSubgroupSize = specialization.subgroup_size;

  VkComputePipelineCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module_handle;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = entries.empty() ? nullptr : &constants;
  if (specialization.subgroup_size != 0) {
    assert(device.info().optional.subgroup_size_control);
    info.stage.pNext = &subgroup;
    info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  info.layout = layout_handle;
  if (device.options().capture_statistics && device.info().optional.executable_statistics) {
    info.flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  }
  if (from == From::kCacheAlone) {
    info.flags |= VK_PIPELINE_CREATE_FAIL_ON_PIPELINE_COMPILE_REQUIRED_BIT_EXT;
  }
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult made =
      table.vkCreateComputePipelines(device.handle(), cache, 1, &info, nullptr, &pipeline);
  if (from == From::kCacheAlone && made == VK_PIPELINE_COMPILE_REQUIRED_EXT) return std::nullopt;
  TRY_VK(made, doing);
  return Pipeline(
      kernel, shader, std::move(layout), Unique<VkPipeline>(table, device.handle(), pipeline));
}

double number(const VkPipelineExecutableStatisticKHR& statistic) {
  switch (statistic.format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
      return statistic.value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
      return static_cast<double>(statistic.value.i64);
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
      return static_cast<double>(statistic.value.u64);
    default:
      return statistic.value.f64;
  }
}

}  // namespace

Result<std::vector<PipelineStatistic>> statistics(const Device& device, const Pipeline& pipeline) {
  std::vector<PipelineStatistic> result;
  const DeviceTable& table = device.table();
  if (!device.options().capture_statistics || !device.info().optional.executable_statistics) {
    return result;
  }
  const std::string doing = "reading the statistics of " + std::string(pipeline.kernel().name);
  VkPipelineExecutableInfoKHR info = {};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR;
  info.pipeline = pipeline.handle();
  std::uint32_t count = 0;
  TRY_VK(table.vkGetPipelineExecutableStatisticsKHR(device.handle(), &info, &count, nullptr),
         doing);
  VkPipelineExecutableStatisticKHR empty = {};
  empty.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  std::vector<VkPipelineExecutableStatisticKHR> found(count, empty);
  TRY_VK(table.vkGetPipelineExecutableStatisticsKHR(device.handle(), &info, &count, found.data()),
         doing);
  for (const auto& statistic : found)
    result.push_back({statistic.name, number(statistic)});
  return result;
}

Result<std::unique_ptr<Pipelines>> Pipelines::create(const Device& device,
                                                     std::filesystem::path cache_file) {
  std::unique_ptr<Pipelines> pipelines(new Pipelines(device));
  pipelines->cache_file_ = std::move(cache_file);
  std::vector<std::byte> initial;
  if (!pipelines->cache_file_.empty()) {
    initial = read_device_file(DeviceFile::kPipelines, device.info(), pipelines->cache_file_);
  }
  VkPipelineCacheCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  info.initialDataSize = initial.size();
  info.pInitialData = initial.data();
  VkPipelineCache cache = VK_NULL_HANDLE;
  TRY_VK(device.table().vkCreatePipelineCache(device.handle(), &info, nullptr, &cache),
         "creating the pipeline cache");
  pipelines->cache_ = Unique<VkPipelineCache>(device.table(), device.handle(), cache);
  pipelines->may_hold_pipelines_ = !initial.empty();
  return pipelines;
}

Result<const Pipeline*> Pipelines::get(const Kernel& kernel, const Specialization& specialization) {
  std::pair<const Kernel*, Specialization> key(&kernel, specialization);
  const auto found = pipelines_.find(key);
  if (found != pipelines_.end()) return &found->second;
  std::optional<Pipeline> pipeline;
  // Asked first, so that it is known whether there is something new to save. Drivers do not let
  // statistics be captured at the same time.
  if (may_hold_pipelines_ && device_->info().optional.creation_cache_control &&
      !device_->options().capture_statistics) {
    pipeline = TRY(make(*device_, kernel, specialization, cache_.get(), From::kCacheAlone));
  }
  if (!pipeline) {
    pipeline = TRY(make(*device_, kernel, specialization, cache_.get(), From::kCacheOrCompiler));
    ++n_compiled_;
  }
  return &pipelines_.emplace(std::move(key), *std::move(pipeline)).first->second;
}

Result<void> Pipelines::save() {
  if (cache_file_.empty() || n_compiled_ == n_saved_) return {};
  const DeviceTable& table = device_->table();
  std::size_t bytes = 0;
  TRY_VK(table.vkGetPipelineCacheData(device_->handle(), cache_.get(), &bytes, nullptr),
         "reading the pipeline cache");
  std::vector<std::byte> payload(bytes);
  TRY_VK(table.vkGetPipelineCacheData(device_->handle(), cache_.get(), &bytes, payload.data()),
         "reading the pipeline cache");
  payload.resize(bytes);
  TRY(write_device_file(DeviceFile::kPipelines, device_->info(), cache_file_, payload));
  n_saved_ = n_compiled_;
  return {};
}

}  // namespace kinglet::vulkan
