// A model of Phi-3.5-mini's real shape on a software driver: it loads, computes what the CPU does,
// and what the process holds beside the device's memory stays small.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gpu/backend.h"
#include "tests/inference/conformance.h"
#include "tests/inference/memory_use.h"
#include "tests/inference/model_presets.h"
#include "tests/inference/stream_gguf.h"
#include "tests/support/long_test.h"
#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::KvFormat;
using inference::TokenId;

constexpr std::uint64_t kSeed = 1;
constexpr std::uint32_t kTokens = 3;  // more are computed in tiles: a quarter of an hour here
constexpr std::uint64_t kHostLimit = 300'000'000;

std::string text_of(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof(text), format, number);
  return text;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_SUITE("inference/gpu/memory_long") {
  TEST_CASE("a model of Phi-3.5-mini's shape computes on lavapipe in 300 MB beside the device's") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const TemporaryFolder folder;
    StreamedGguf gguf{.model = model_presets().at("phi-3.5-mini")};
    gguf.model.seed = kSeed;
    gguf.model.mix = "Q4_K_M";
    stream_gguf(gguf, folder / "model.gguf");
    const auto model = inference::Model::load(folder / "model.gguf");
    REQUIRE_MESSAGE(model.has_value(), model.error().message);

    auto start = std::chrono::steady_clock::now();
    const auto executor = inference::gpu::create_executor_on(Lab::get()->instance(),
                                                             *model,
                                                             {.device = "llvmpipe",
                                                              .kv_format = KvFormat::kF32,
                                                              .n_kv_tokens = 32,
                                                              .chunk_tokens = kTokens});
    REQUIRE_MESSAGE(executor.has_value(), executor.error().message);
    const double loading = seconds_since(start);
    const std::vector<TokenId> tokens = {1, 6100, 32'000};
    start = std::chrono::steady_clock::now();
    std::vector<float> logits(32'064);
    auto sequence = (*executor)->new_sequence({.max_tokens = kTokens + 1});
    REQUIRE(sequence.has_value());
    const auto prefill =
        (*executor)->forward(*sequence, tokens, inference::LogitsWanted::kNone, {});
    REQUIRE_MESSAGE(prefill.has_value(), prefill.error().message);
    const double prefill_seconds = seconds_since(start);
    start = std::chrono::steady_clock::now();
    const std::vector<TokenId> next = {4242};
    const auto decoded =
        (*executor)->forward(*sequence, next, inference::LogitsWanted::kLast, logits);
    REQUIRE_MESSAGE(decoded.has_value(), decoded.error().message);
    const double decode_seconds = seconds_since(start);

    const MemoryUse after = MemoryUse::now();
    const auto& info = (*executor)->info();
    const std::uint64_t on_device = info.weight_bytes + info.kv_bytes + info.activation_bytes;
    // A software driver's device memory is the process's own. All else that is resident counts:
    // the program, the driver, the file's pages.
    REQUIRE(after.resident > on_device);
    const std::uint64_t host = after.resident - on_device;
    CHECK(host <= kHostLimit);

    const auto cpu = inference::find_backend("cpu")->create(
        *model, {.kv_format = KvFormat::kF32, .n_kv_tokens = 32});
    REQUIRE(cpu.has_value());
    auto cpu_sequence = (*cpu)->new_sequence({.max_tokens = kTokens + 1});
    REQUIRE(cpu_sequence.has_value());
    std::vector<TokenId> all = tokens;
    all.push_back(next[0]);
    std::vector<float> expected(logits.size());
    REQUIRE(
        (*cpu)->forward(*cpu_sequence, all, inference::LogitsWanted::kLast, expected).has_value());
    const double error =
        logits_error(logits, {std::vector<double>(expected.begin(), expected.end())});
    CHECK(error <= 1e-4);
    write_results(
        "phi_3_5_vulkan",
        "Phi-3.5-mini's shape (3.8 B weights, Q4_K_M) on the Vulkan backend, lavapipe",
        kSeed,
        {{"weights, cache and activations on the device", text_of("%.1f MB", on_device / 1e6)},
         {"host memory beside them", text_of("%.1f MB", host / 1e6)},
         {"placed in", text_of("%.1f s", loading)},
         {"3 tokens of prompt", text_of("%.1f s", prefill_seconds)},
         {"a decode step", text_of("%.1f s", decode_seconds)},
         {"largest difference of logits to the CPU's, in their deviations",
          text_of("%.1e", error)}});
  }
}

}  // namespace kinglet::test
