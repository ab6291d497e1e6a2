// How long a completion's prompt may be.
#pragma once

#include <cstddef>

#include "daemon/config.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

/// Prompts on a software driver. Lavapipe took 65 s for 1,346 tokens of the starter model (3 M
/// weights) on two cores: there even this is many seconds, and a keystroke's few tokens are not.
inline constexpr std::size_t kSoftwareGpuPromptTokens = 256;

/// Tokens: what the user allows, less where the model carries less (the completion needs room
/// behind the prompt) or computes very slowly.
std::size_t prompt_budget(const Config& config, const wire::ModelInfo& model);

}  // namespace kinglet::daemon
