#include "daemon/features/prompt_budget.h"

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
}
