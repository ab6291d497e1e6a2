#include "daemon/features/prompt_budget.h"

#include <string>

#include <doctest/doctest.h>

using namespace kinglet::daemon;

namespace {

std::size_t budget(std::uint32_t wished, std::uint32_t carried, bool on_software_gpu) {
  Config config;
  config.context_tokens = wished;
  config.max_new_tokens = 64;
  wire::ModelInfo model;
  model.context_tokens = carried;
  model.on_software_gpu = on_software_gpu;
  return prompt_budget(config, model);
}

/// The budget, or the error.
std::string asked(std::uint32_t n_tokens, std::uint32_t carried, bool on_software_gpu = false) {
  Config config;
  config.context_tokens = 256;
  config.max_new_tokens = 64;
  wire::ModelInfo model;
  model.name = "M";
  model.context_tokens = carried;
  model.on_software_gpu = on_software_gpu;
  const auto budget = asked_prompt_budget(n_tokens, config, model);
  return budget ? std::to_string(*budget) : budget.error().message;
}

}  // namespace

TEST_SUITE("daemon/features/prompt_budget") {
  TEST_CASE("the prompt is as long as the user allows, with room for the completion behind it") {
    CHECK(budget(4096, 8192, false) == 4096);
    CHECK(budget(4096, 4096, false) == 4096 - 64);
    CHECK(budget(4096, 100, false) == 50);  // half of a tiny context stays for each
  }

  TEST_CASE("a software driver gets short prompts") {
    CHECK(budget(4096, 8192, true) == kSoftwareGpuPromptTokens);
    CHECK(budget(131'072, 131'072, true) == kSoftwareGpuPromptTokens);
    CHECK(budget(4096, 100, true) == 50);
  }

  TEST_CASE("who asks for a budget gets it, or hears what there is") {
    CHECK(asked(1, 4096) == "1");
    CHECK(asked(4032, 4096) == "4032");  // above what is configured, and on any device
    CHECK(asked(4032, 4096, true) == "4032");
    CHECK(asked(0, 4096) == "a budget of 0 tokens holds no prompt; give 1 to 4032");
    CHECK(asked(4033, 4096) ==
          "a budget of 4033 tokens is more than the 4032 that M, as it is loaded, carries beside a "
          "completion; give less, or raise \"contextTokens\" in config.json if the model was made "
          "for more");
  }
}
