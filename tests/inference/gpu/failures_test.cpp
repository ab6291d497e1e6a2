// Every Vulkan call between loading a model and its eighth token fails once: an error comes back,
// nothing crashes or hangs, and a new executor works.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "inference/gpu/backend.h"
#include "tests/inference/conformance.h"
#include "tests/inference/synthetic_lora.h"
#include "tests/support/skip.h"
#include "tests/vulkan/call_faults.h"
#include "tests/vulkan/lab.h"
#include "vulkan/error.h"

namespace kinglet::test {

namespace {

using inference::KvFormat;
using inference::LogitsWanted;

vulkan::InstanceOptions options_with_faults() {
  vulkan::InstanceOptions options;
  options.table_hook = CallFaults::hook();
  return options;
}

Result<std::unique_ptr<inference::Executor>> place(const LoadedModel& loaded) {
  return inference::gpu::create_executor_on(
      TRY(vulkan::Instance::create(options_with_faults())),
      loaded.model,
      {.device = test_device(), .kv_format = KvFormat::kF32, .n_kv_tokens = 64, .chunk_tokens = 8});
}

/// Logits after a prompt of five tokens, a fork's sixth and a seventh; then tokens that the device
/// chooses.
Result<std::vector<float>> load_and_compute(const LoadedModel& loaded) {
  const auto executor = TRY(place(loaded));
  std::vector<float> logits(loaded.reference->n_vocabulary());
  auto sequence = TRY(executor->new_sequence({.max_tokens = 16}));
  const auto tokens = random_tokens(7, loaded.reference->n_vocabulary(), 3);
  const std::span all(tokens);
  TRY(executor->forward(sequence, all.first(5), LogitsWanted::kNone, {}));
  auto fork = executor->fork(sequence, 5);
  TRY(executor->forward(fork, all.subspan(5, 1), LogitsWanted::kLast, logits));
  TRY(executor->forward(fork, all.subspan(6, 1), LogitsWanted::kLast, logits));
  std::vector<inference::TokenId> next(2);
  TRY(executor->decode_greedy(fork, 1, next));
  return logits;
}

}  // namespace

TEST_SUITE("inference/gpu/failures") {
  TEST_CASE("each call in turn fails, and the next try works") {
    const LoadedModel loaded = load_synthetic(
        {.hidden = 32, .layers = 1, .heads = 2, .kv_heads = 1, .ffn = 32, .vocab = 265});
    CallFaults::arm(0, VK_SUCCESS);
    const auto good = load_and_compute(loaded);
    if (!good && good.error().code == ErrorCode::kNotFound) {
      SKIP("no software Vulkan driver (llvmpipe)");
    }
    REQUIRE(good.has_value());
    const int n_calls = CallFaults::n_calls();
    CHECK(n_calls > 100);
    const std::pair<VkResult, ErrorCode> kinds[] = {
        {VK_ERROR_DEVICE_LOST, ErrorCode::kDeviceLost},
        {VK_ERROR_OUT_OF_DEVICE_MEMORY, ErrorCode::kOutOfMemory},
        {VK_ERROR_OUT_OF_HOST_MEMORY, ErrorCode::kOutOfMemory},
        {VK_TIMEOUT, ErrorCode::kTimeout}};
    for (int nth = 1; nth <= n_calls; ++nth) {
      CAPTURE(nth);
      const auto [result, code] = kinds[nth % 4];
      CallFaults::arm(nth, result);
      const auto logits = load_and_compute(loaded);
      CAPTURE(CallFaults::failed_function());
      REQUIRE(!logits.has_value());
      // Inside a pass every failure leaves the device as good as lost.
      CHECK((logits.error().code == code || logits.error().code == ErrorCode::kDeviceLost));
      CHECK(logits.error().message.find(vulkan::result_name(result)) != std::string::npos);
      CHECK(!logits.error().message.empty());
    }
    CallFaults::arm(0, VK_SUCCESS);
    const auto again = load_and_compute(loaded);
    REQUIRE(again.has_value());
    CHECK(*again == *good);
    std::printf("vulkan: %d calls from loading to the last token, each failed once\n", n_calls);
  }

  TEST_CASE("an executor whose device was lost says so from then on") {
    const LoadedModel loaded = load_synthetic(
        {.hidden = 32, .layers = 1, .heads = 2, .kv_heads = 1, .ffn = 32, .vocab = 265});
    CallFaults::arm(0, VK_SUCCESS);
    auto executor = place(loaded);
    if (!executor) SKIP("no software Vulkan driver (llvmpipe)");
    auto sequence = (*executor)->new_sequence({.max_tokens = 16});
    REQUIRE(sequence.has_value());
    const std::vector<inference::TokenId> tokens = {1, 2, 3};
    const auto compute = [&] {
      return (*executor)->forward(*sequence, tokens, LogitsWanted::kNone, {});
    };
    REQUIRE(compute().has_value());
    CallFaults::arm(2, VK_ERROR_DEVICE_LOST);
    for (int i = 0; i < 3; ++i) {
      const auto lost = compute();
      REQUIRE(!lost.has_value());
      CHECK(lost.error().code == ErrorCode::kDeviceLost);
      CHECK(lost.error().message.find("has to be started again") != std::string::npos);
      CHECK(sequence->n_tokens() == 3);
    }
  }

  TEST_CASE("whatever would use a lost device is refused, and a call that timed out loses it") {
    const GgufWriter file = synthetic_gguf(
        {.hidden = 32, .layers = 1, .heads = 2, .kv_heads = 1, .ffn = 32, .vocab = 265});
    const LoadedModel loaded = load_gguf(file);
    const LoadedLora adapter = load_lora(synthetic_lora(file, {.seed = 1}), *loaded.model);
    CallFaults::arm(0, VK_SUCCESS);
    {
      const auto there = place(loaded);
      if (!there) SKIP("no software Vulkan driver (llvmpipe)");
    }
    const std::vector<inference::TokenId> tokens = {1, 2, 3};
    // What loses the device: a pass, a page's copy, an adapter's matrices on their way.
    for (int way = 0; way < 3; ++way) {
      CAPTURE(way);
      CallFaults::arm(0, VK_SUCCESS);
      const auto executor = *place(loaded);
      auto sequence = *executor->new_sequence({.max_tokens = 16});
      const auto compute = [&](inference::Sequence& on) {
        return executor->forward(on, tokens, LogitsWanted::kNone, {});
      };
      REQUIRE(compute(sequence).has_value());
      auto fork = executor->fork(sequence, 2);
      const auto set_adapter = [&] { return executor->set_adapters({{adapter.lora, 1}}); };
      const std::string failing = way == 2 ? "vkAllocateMemory" : "vkWaitSemaphores";
      CallFaults::arm_function(failing, way == 2 ? VK_ERROR_DEVICE_LOST : VK_TIMEOUT);
      const auto lost = way == 0 ? compute(sequence) : way == 1 ? compute(fork) : set_adapter();
      REQUIRE(!lost.has_value());
      CHECK(CallFaults::failed_function() == failing);
      CallFaults::arm(0, VK_SUCCESS);
      const Result<void> refused[] = {
          compute(sequence),
          compute(fork),
          set_adapter(),
          executor->new_sequence({.max_tokens = 16}).map([](const auto&) {})};
      for (const auto& result : refused) {
        REQUIRE(!result.has_value());
        CHECK(result.error().code == ErrorCode::kDeviceLost);
        CHECK(result.error().message.find("has to be started again") != std::string::npos);
      }
      CHECK(CallFaults::n_calls() == 0);
    }
  }
}

}  // namespace kinglet::test
