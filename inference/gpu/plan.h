// What a pass would be recorded as, without the model on a device: nothing of its size is
// allocated, nothing runs. For what follows from a recording alone: its stages, what it moves and
// computes.
#pragma once

#include <vector>

#include "inference/gpu/recording.h"

namespace kinglet::inference::gpu {

struct Plan {
  std::vector<vulkan::Dispatch> dispatches = {};  ///< of all parts, stages counted through
  Extent all;
  Extent layers;  ///< without what comes before the first layer and after the last

  vulkan::Traffic traffic() const;
};

/// The pass at its deepest: positions up to shape.max_context. Compiles the kernels it needs.
/// `attention_rows` is vulkan::Formats's: GPUs take 8, a software driver fewer.
/// Errors: kUnsupported as Weights::types_of() has it, and the device's own.
Result<Plan> plan_pass(const vulkan::Device& device,
                       const Model& model,
                       KvFormat kv_format,
                       const PassShape& shape,
                       Lowering lowering = Lowering::kFused,
                       std::uint32_t attention_rows = 0);

}  // namespace kinglet::inference::gpu
