// How long a completion's prompt may be.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/base/result.h"
#include "daemon/config.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

/// Prompts on a software driver. Lavapipe took 65 s for 1,346 tokens of the starter model (3 M
/// weights) on two cores: there even this is many seconds, and a keystroke's few tokens are not.
inline constexpr std::size_t kSoftwareGpuPromptTokens = 256;

/// Tokens: what the user allows, less where the model carries less (the completion needs room
/// behind the prompt) or computes very slowly.
std::size_t prompt_budget(const Config& config, const wire::ModelInfo& model);

/// A budget that somebody asks for, whatever is configured. Errors: kInvalidArgument for none at
/// all, and for more than the model carries beside the completion.
Result<std::size_t> asked_prompt_budget(std::uint32_t n_tokens,
                                        const Config& config,
                                        const wire::ModelInfo& model);

}  // namespace kinglet::daemon
