// Generation on the Vulkan backend, where the device chooses tokens by itself, several in a submit.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/base/cpu_time.h"
#include "inference/engine.h"
#include "tests/inference/conformance.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::Engine;
using inference::GenerateRequest;
using inference::GenerateResult;
using inference::StopReason;
using inference::TokenId;

constexpr SyntheticModel kModel = {
    .seed = 51, .hidden = 64, .layers = 2, .heads = 4, .kv_heads = 2, .ffn = 96};

std::unique_ptr<Engine> load(const std::filesystem::path& path) {
  inference::EngineOptions options;
  options.model_path = path;
  options.backend = inference::BackendChoice::kVulkan;
  options.device = test_device();
  options.kv_format = inference::KvFormat::kF32;
  options.n_context = 512;
  auto engine = Engine::load(options);
  if (!engine) FAIL(engine.error().message);
  return std::move(*engine);
}

std::unique_ptr<Engine> load_model() {
  static const TemporaryFolder kFolder;
  const auto path = kFolder / "model.gguf";
  if (!std::filesystem::exists(path)) write_synthetic_gguf(kModel, path.string());
  return load(path);
}

GenerateRequest request(std::uint32_t n_tokens) {
  return {.prompt = random_tokens(30, kModel.vocab, 3), .max_tokens = n_tokens};
}

/// The same choices, made by the host: a penalty that changes no number.
GenerateRequest chosen_by_host(GenerateRequest request) {
  request.sampler.presence_penalty = 1e-30F;
  return request;
}

GenerateResult generate(Engine& engine, const GenerateRequest& request) {
  auto result = engine.generate(request);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

}  // namespace

TEST_SUITE("inference/gpu/decoding") {
  TEST_CASE("what the device chooses is what the host would") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto engine = load_model();
    const GenerateResult by_device = generate(*engine, request(200));
    engine->forget();
    const GenerateResult by_host = generate(*engine, chosen_by_host(request(200)));
    CHECK(by_device.tokens == by_host.tokens);
    CHECK(by_device.text == by_host.text);
    CHECK(by_device.reason == by_host.reason);
    CHECK(by_device.stats.n_generated == by_host.stats.n_generated);
  }

  TEST_CASE("a generation that ends while the device is ahead leaves what the host's would") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto engine = load_model();
    const GenerateResult whole = generate(*engine, request(60));
    REQUIRE(whole.tokens.size() == 60);
    // It stops before a token that comes for the first time.
    std::size_t at = 7;
    const auto seen_before = [&](std::size_t i) {
      return std::find(whole.tokens.begin(),
                       whole.tokens.begin() + static_cast<std::ptrdiff_t>(i),
                       whole.tokens[i]) != whole.tokens.begin() + static_cast<std::ptrdiff_t>(i);
    };
    while (at + 1 < whole.tokens.size() && seen_before(at))
      ++at;
    REQUIRE(!seen_before(at));
    const auto n_reused_after = [&](GenerateRequest ended, std::uint32_t n_callback) {
      engine->forget();
      std::uint32_t n = 0;
      const auto result =
          engine->generate(ended, [&](TokenId, std::string_view) { return ++n != n_callback; });
      REQUIRE(result.has_value());
      CHECK(result->reason == (n_callback != 0 ? StopReason::kCallback : StopReason::kStopToken));
      CHECK(result->tokens.size() == (n_callback != 0 ? n_callback : at));
      // How much of what it said is remembered.
      GenerateRequest next = request(1);
      next.prompt.insert(next.prompt.end(), whole.tokens.begin(), whole.tokens.end());
      return generate(*engine, next).stats.n_reused;
    };
    GenerateRequest stopped = request(60);
    stopped.stop_tokens = {whole.tokens[at]};
    const std::uint32_t n_reused = n_reused_after(stopped, 0);
    CHECK(n_reused == 30 + at);
    CHECK(n_reused == n_reused_after(chosen_by_host(stopped), 0));
    const std::uint32_t n_reused_callback = n_reused_after(request(60), 5);
    CHECK(n_reused_callback == 34);
    CHECK(n_reused_callback == n_reused_after(chosen_by_host(request(60)), 5));
  }

  TEST_CASE("logits that are not numbers end greedy decoding, too") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    GgufWriter writer = synthetic_gguf(kModel);
    auto& norm = writer.tensor("output_norm.weight").data;
    const float huge = 3e38F;
    for (std::size_t i = 0; i + sizeof(huge) <= norm.size(); i += sizeof(huge))
      std::memcpy(&norm[i], &huge, sizeof(huge));
    const LoadedModel loaded = load_gguf(writer);
    const auto executor = make_executor(
        "vulkan", loaded, {.device = test_device(), .n_kv_tokens = 64, .chunk_tokens = 8});
    auto sequence = executor->new_sequence({.max_tokens = 32});
    REQUIRE(sequence.has_value());
    std::vector<TokenId> next(8);
    const auto n = executor->decode_greedy(*sequence, 5, next);
    REQUIRE(!n.has_value());
    CHECK(n.error().code == ErrorCode::kNumeric);
    CHECK(n.error().message.find("logits after position 0") == 0);
  }

  TEST_CASE("the submitting thread has next to nothing to do for a token") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    if (under_validation()) return;  // the layers work in our thread
    const LoadedModel loaded = load_synthetic(kModel);
    const auto executor = make_executor(
        "vulkan", loaded, {.device = test_device(), .n_kv_tokens = 256, .chunk_tokens = 8});
    auto sequence = executor->new_sequence({.max_tokens = 256});
    REQUIRE(sequence.has_value());
    constexpr std::size_t kTokens = 64;
    std::vector<TokenId> text = {5};
    const auto decode = [&](std::size_t n_tokens) {
      int n_calls = 0;
      while (n_tokens > 0) {
        std::vector<TokenId> next(n_tokens);
        const auto n = executor->decode_greedy(*sequence, text.back(), next);
        REQUIRE(n.has_value());
        text.insert(text.end(), next.begin(), next.begin() + *n);
        n_tokens -= *n;
        ++n_calls;
      }
      return n_calls;
    };
    decode(16);  // recorded, and the device's speed known
    const double start = thread_seconds();
    const int n_calls = decode(kTokens);
    const double each = (thread_seconds() - start) / kTokens;
    std::printf("vulkan: %.1f us of the submitting thread a token, %d submits for %zu tokens\n",
                each * 1e6,
                n_calls,
                kTokens);
    CHECK(each <= 20e-6);
  }
}

}  // namespace kinglet::test
