#include "inference/gpu/plan.h"

#include <algorithm>

#include "inference/gpu/formats.h"

namespace kinglet::inference::gpu {

namespace {

// Not null, and aligned for every use.
constexpr vulkan::DeviceAddress kNowhere = 4'096;
// Multiplications of a part: more than any one operation's.
constexpr std::uint64_t kWorkLimit = std::uint64_t{1} << 40;

}  // namespace

vulkan::Traffic Plan::traffic() const {
  vulkan::Traffic sum;
  for (const vulkan::Dispatch& dispatch : dispatches)
    sum = sum + dispatch.traffic;
  return sum;
}

Result<Plan> plan_pass(const vulkan::Device& device,
                       const Model& model,
                       KvFormat kv_format,
                       const PassShape& shape,
                       Lowering lowering,
                       std::uint32_t attention_rows) {
  const HyperParameters& h = model.hyper_parameters();
  const auto pipelines = TRY(vulkan::Pipelines::create(device));
  vulkan::Formats formats = TRY(formats_of(model, kv_format, ProductPath::kAuto));
  formats.attention_rows = attention_rows;
  const auto operations = TRY(vulkan::Operations::create(*pipelines, formats));
  const Weights weights = Weights::unplaced(model);
  // Copies are between buffers, not addresses: these are there.
  const std::uint64_t logits_bytes =
      std::max<std::uint64_t>(shape.n_logits, 1) * h.n_vocabulary * sizeof(float);
  const auto logits = TRY(
      vulkan::Buffer::create(device, logits_bytes, vulkan::MemoryUse::kDevice, "planned logits"));

  Workspace workspace;
  workspace.model = &model;
  workspace.weights = &weights;
  workspace.lowering = lowering;
  workspace.cache_type = cache_type(kv_format);
  workspace.keys.assign(h.n_layers, kNowhere);
  workspace.values.assign(h.n_layers, kNowhere);
  workspace.slots.fill(kNowhere);
  workspace.rope.fill(kNowhere);
  workspace.scratch_bytes =
      scratch_bytes(h, workspace.cache_type, shape.n_tokens, shape.max_context);
  workspace.ids = workspace.positions = workspace.pages = workspace.scratch = kNowhere;
  workspace.split_scratch = workspace.counters = workspace.choosing = workspace.history = kNowhere;
  workspace.logits = workspace.host_logits = &logits;

  const Recording recording =
      TRY(record_pass(device, operations, workspace, shape, shape.max_context, kWorkLimit));
  Plan plan = {.all = extent_of(recording.parts), .layers = recording.layers};
  std::uint32_t first_stage = 0;
  for (const Part& part : recording.parts) {
    for (vulkan::Dispatch dispatch : part.stream.dispatches()) {
      dispatch.stage += first_stage;
      plan.dispatches.push_back(dispatch);
    }
    first_stage += part.stream.n_barriers() + 1;
  }
  return plan;
}

}  // namespace kinglet::inference::gpu
