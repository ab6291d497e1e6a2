#include "vulkan/operations.h"

#include <cassert>
#include <utility>

#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

Result<Operations> Operations::create(Pipelines& pipelines, const Formats& formats) {
  Tiling tiling =
      formats.tiling ? *formats.tiling : tuned_tiling(pipelines.device().info(), formats.tuning);
  Result<Operations> operations = compile(pipelines, formats, tiling);
  if (operations || formats.product_path != ProductPath::kAuto || tiling.matrices.shapes.empty() ||
      operations.error().code == ErrorCode::kDeviceLost) {
    return operations;
  }
  const std::string why = std::move(operations.error().message);
  tiling.matrices.shapes.clear();
  operations = compile(pipelines, formats, tiling);
  if (operations) operations->without_matrices_ = why;
  return operations;
}

Result<Operations> Operations::compile(Pipelines& pipelines,
                                       const Formats& formats,
                                       const Tiling& tiling) {
  std::vector<KernelUse> uses;
  add_argmax_kernels(uses);
  add_attention_kernels(pipelines.device().info(), formats, tiling, uses);
  add_elementwise_kernels(formats, uses);
  const DeviceInfo& info = pipelines.device().info();
  add_product_kernels(info, formats, uses);
  add_tiled_kernels(info, formats, tiling, uses);
  Operations operations(pipelines.device(), formats, tiling);
  for (const KernelUse& use : uses) {
    const Kernel& row = kernel(use.name);
    operations.pipelines_[{row.name, use.specialization}] =
        TRY(pipelines.get(row, use.specialization));
  }
  return operations;
}

std::set<std::string_view> Operations::kernels() const {
  std::set<std::string_view> names;
  for (const auto& [use, pipeline] : pipelines_)
    names.insert(use.first);
  return names;
}

const Pipeline& Operations::pipeline(std::string_view name,
                                     const Specialization& specialization) const {
  const auto found = pipelines_.find({name, specialization});
  assert(found != pipelines_.end());
  return *found->second;
}

Groups Operations::folded(std::uint32_t n_groups, std::uint32_t z) const {
  const std::uint32_t limit = device_->info().max_group_count;
  const std::uint32_t y = divide_up(n_groups, limit);
  return {divide_up(n_groups, y), y, z};
}

}  // namespace kinglet::vulkan
