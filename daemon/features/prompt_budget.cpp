#include "daemon/features/prompt_budget.h"

#include <algorithm>

namespace kinglet::daemon {

std::size_t prompt_budget(const Config& config, const wire::ModelInfo& model) {
  const std::size_t carried = model.context_tokens;
  const std::size_t room = std::min<std::size_t>(config.max_new_tokens, carried / 2);
  const std::size_t budget = std::min<std::size_t>(config.context_tokens, carried - room);
  return model.on_software_gpu ? std::min(budget, kSoftwareGpuPromptTokens) : budget;
}

}  // namespace kinglet::daemon
