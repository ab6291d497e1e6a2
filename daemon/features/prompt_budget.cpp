#include "daemon/features/prompt_budget.h"

#include <algorithm>
#include <string>

namespace kinglet::daemon {

namespace {

std::size_t longest_prompt(const Config& config, const wire::ModelInfo& model) {
  const std::size_t carried = model.context_tokens;
  return carried - std::min<std::size_t>(config.max_new_tokens, carried / 2);
}

}  // namespace

std::size_t prompt_budget(const Config& config, const wire::ModelInfo& model) {
  const std::size_t budget =
      std::min<std::size_t>(config.context_tokens, longest_prompt(config, model));
  return model.on_software_gpu ? std::min(budget, kSoftwareGpuPromptTokens) : budget;
}

Result<std::size_t> asked_prompt_budget(std::uint32_t n_tokens,
                                        const Config& config,
                                        const wire::ModelInfo& model) {
  const std::size_t longest = longest_prompt(config, model);
  if (n_tokens >= 1 && n_tokens <= longest) return n_tokens;
  if (n_tokens == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "a budget of 0 tokens holds no prompt; give 1 to " + std::to_string(longest));
  }
  return fail(ErrorCode::kInvalidArgument,
              "a budget of " + std::to_string(n_tokens) + " tokens is more than the " +
                  std::to_string(longest) + " that " + model.name +
                  ", as it is loaded, carries beside a completion; give less, or raise "
                  "\"contextTokens\" in config.json if the model was made for more");
}

}  // namespace kinglet::daemon
