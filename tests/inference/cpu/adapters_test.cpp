// Adapters on the CPU: the same logits as the model they are merged into, within the exact class.
#include <cstdio>

#include <doctest/doctest.h>

#include "inference/cpu/backend.h"
#include "tests/inference/synthetic_lora.h"

namespace kinglet::test {

TEST_SUITE("inference/cpu/adapters") {
  TEST_CASE("logits with adapters are those of the model they are merged into") {
    for (const LoraCase& c : lora_cases()) {
      INFO(c.name);
      const auto make = [](std::shared_ptr<const inference::Model> model) {
        return *inference::cpu::create_executor(
            std::move(model),
            {.kv_format = inference::KvFormat::kF32, .n_kv_tokens = 64, .n_threads = 2});
      };
      const double error = lora_error(make, synthetic_gguf(c.model), c.uses);
      std::printf("adapters, cpu, %s: %.1e\n", c.name.c_str(), error);
      CHECK(error <= 1e-4);
    }
  }
}

}  // namespace kinglet::test
