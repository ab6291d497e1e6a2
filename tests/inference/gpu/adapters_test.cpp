// Adapters on the Vulkan backend, on a software driver: the same logits as the model they are
// merged into, within the exact class.
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "inference/gpu/backend.h"
#include "tests/inference/conformance.h"
#include "tests/inference/sealed_bytes.h"
#include "tests/inference/synthetic_lora.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/call_faults.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

std::unique_ptr<inference::Executor> software_executor(
    std::shared_ptr<const inference::Model> model) {
  auto executor = inference::gpu::create_executor_on(Lab::get()->instance(),
                                                     std::move(model),
                                                     {.device = test_device(),
                                                      .kv_format = inference::KvFormat::kF32,
                                                      .n_kv_tokens = 128,
                                                      .chunk_tokens = 29});
  REQUIRE_MESSAGE(executor.has_value(), executor.error().message);
  return *std::move(executor);
}

}  // namespace

TEST_SUITE("inference/gpu/adapters") {
  TEST_CASE("logits with adapters are those of the model they are merged into") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    auto cases = lora_cases();
    // The layers see as much in one model as in ten.
    if (under_validation()) cases.erase(cases.begin(), cases.end() - 1);
    for (const LoraCase& c : cases) {
      CAPTURE(c.name);
      const double error = lora_error(software_executor, synthetic_gguf(c.model), c.uses);
      std::printf("adapters, vulkan, %s: %.1e\n", c.name.c_str(), error);
      CHECK(error <= 1e-4);
    }
    for (const std::string& message : take_messages())
      FAIL_CHECK(message);
  }

  TEST_CASE("adapters are put on, exchanged and taken off, and leave nothing behind") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const GgufWriter model_file = synthetic_gguf({.hidden = 96, .heads = 3, .kv_heads = 1});
    const LoadedModel model = load_gguf(model_file);
    const LoadedLora a = load_lora(synthetic_lora(model_file, {.seed = 1}), *model.model);
    const LoadedLora b =
        load_lora(synthetic_lora(model_file, {.seed = 2, .rank = 20}), *model.model);
    const auto executor = software_executor(model.model);
    const auto tokens = random_tokens(20, model.reference->n_vocabulary(), 5);
    const auto logits = [&](const inference::Adapters& adapters) {
      const auto set = executor->set_adapters(adapters);
      REQUIRE_MESSAGE(set.has_value(), set.error().message);
      return all_logits(*executor, tokens, 32);
    };
    const auto plain = logits({});
    const auto with_a = logits({{a.lora, 1}});
    CHECK(with_a != plain);
    const auto with_both = logits({{b.lora, 0.5F}, {a.lora, 1}});
    CHECK(with_both != with_a);
    CHECK(logits({{a.lora, 1}}) == with_a);
    CHECK(logits({}) == plain);
    for (const std::string& message : take_messages())
      FAIL_CHECK(message);
  }

  TEST_CASE("switching compiles nothing, and places the adapter's own numbers alone") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const GgufWriter model_file = synthetic_gguf(
        {.hidden = 96, .heads = 3, .kv_heads = 1, .type = inference::TensorType::kF16});
    SealedBytes base(model_file.bytes());
    const auto model =
        *inference::Model::from_gguf(*inference::Gguf::parse(base.bytes(), "model.gguf"));
    const LoadedLora a = load_lora(synthetic_lora(model_file, {.seed = 1}), *model);
    const LoadedLora b = load_lora(synthetic_lora(model_file, {.seed = 2}), *model);
    auto instance = vulkan::Instance::create(instance_options(CallFaults::hook()));
    REQUIRE(instance.has_value());
    const auto executor =
        *inference::gpu::create_executor_on(*std::move(instance),
                                            model,
                                            {.device = test_device(),
                                             .kv_format = inference::KvFormat::kF32,
                                             .n_kv_tokens = 128,
                                             .chunk_tokens = 29});
    const auto tokens = random_tokens(20, 384, 5);
    struct Calls {
      int any;
      int pipelines;
      int allocations;
    };
    const auto calls_of_switch = [&](const inference::Adapters& adapters) -> Calls {
      base.seal();
      CallFaults::arm(0, VK_SUCCESS);
      const bool is_set = executor->set_adapters(adapters).has_value();
      base.open();
      REQUIRE(is_set);
      return {CallFaults::n_calls(),
              CallFaults::n_calls("vkCreateComputePipelines"),
              CallFaults::n_calls("vkAllocateMemory")};
    };
    const auto plain = all_logits(*executor, tokens, 32);
    CHECK(calls_of_switch({{a.lora, 1}}).pipelines > 0);  // the first adapter's kernels, once
    const auto with_a = all_logits(*executor, tokens, 32);
    // All of an adapter's matrices lie in one buffer.
    const Calls to_b = calls_of_switch({{b.lora, 1}});
    CHECK(to_b.pipelines == 0);
    CHECK(to_b.allocations == 1);
    // Taken off, or with another scale, there is nothing to place.
    CHECK(calls_of_switch({{b.lora, 0.5F}}).any == 0);
    CHECK(calls_of_switch({}).any == 0);
    CHECK(all_logits(*executor, tokens, 32) == plain);
    CHECK(calls_of_switch({{a.lora, 1}}).allocations == 1);
    CallFaults::arm(0, VK_SUCCESS);
    CHECK(all_logits(*executor, tokens, 32) == with_a);
    CHECK(CallFaults::n_calls("vkCreateComputePipelines") == 0);
    CHECK(CallFaults::n_calls("vkAllocateMemory") == 0);
    for (const std::string& message : take_messages())
      FAIL_CHECK(message);
  }

  TEST_CASE("the first adapter's kernels are kept for the next start, too") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const TemporaryFolder folder;
    const GgufWriter model_file = synthetic_gguf(
        {.hidden = 96, .heads = 3, .kv_heads = 1, .type = inference::TensorType::kF16});
    const LoadedModel model = load_gguf(model_file);
    const LoadedLora lora = load_lora(synthetic_lora(model_file, {.seed = 1}), *model.model);
    auto instance = vulkan::Instance::create(instance_options(CallFaults::hook()));
    REQUIRE(instance.has_value());
    const auto executor =
        *inference::gpu::create_executor_on(*std::move(instance),
                                            model.model,
                                            {.device = test_device(),
                                             .kv_format = inference::KvFormat::kF32,
                                             .n_kv_tokens = 128,
                                             .cache_folder = folder / ""});
    const auto n_saved_by = [&](const inference::Adapters& adapters) {
      CallFaults::arm(0, VK_SUCCESS);
      REQUIRE(executor->set_adapters(adapters).has_value());
      return CallFaults::n_calls("vkGetPipelineCacheData") / 2;  // its size, then its bytes
    };
    CHECK(n_saved_by({{lora.lora, 1}}) == 1);
    CHECK(n_saved_by({}) == 0);
    CHECK(n_saved_by({{lora.lora, 1}}) == 0);
  }
}

}  // namespace kinglet::test
