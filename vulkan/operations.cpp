#include "vulkan/operations.h"

#include <cassert>

#include "vulkan/operations/support.h"

namespace kinglet::vulkan {

Result<Operations> Operations::create(Pipelines& pipelines, const Formats& formats) {
  std::vector<std::string> names;
  add_attention_kernels(formats, names);
  add_elementwise_kernels(formats, names);
  add_product_kernels(formats, names);
  Operations operations(pipelines.device());
  for (const std::string& wanted : names) {
    const Kernel& row = kernel(wanted);
    operations.pipelines_[row.name] = TRY(pipelines.get(row));
  }
  return operations;
}

const Pipeline& Operations::pipeline(std::string_view name) const {
  const auto found = pipelines_.find(name);
  assert(found != pipelines_.end());
  return *found->second;
}

Groups Operations::folded(std::uint32_t n_groups, std::uint32_t z) const {
  const std::uint32_t limit = device_->info().max_group_count;
  const std::uint32_t y = divide_up(n_groups, limit);
  return {divide_up(n_groups, y), y, z};
}

}  // namespace kinglet::vulkan
