// The short form of memory_long_test.cpp.
#include "tests/inference/memory_use.h"

#include <cstdio>

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "tests/inference/stream_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

namespace {

StreamedGguf medium_model() {
  return {.model = {.hidden = 1024,
                    .layers = 9,
                    .heads = 8,
                    .kv_heads = 2,
                    .ffn = 4096,
                    .vocab = 8192,
                    .mix = "Q4_K_M"},
          .n_random_elements = 1U << 16};
}

inference::EngineOptions on_cpu(const std::filesystem::path& path) {
  inference::EngineOptions options;
  options.model_path = path;
  options.backend = inference::BackendChoice::kCpu;
  options.n_context = 256;
  options.n_threads = 2;
  return options;
}

}  // namespace

TEST_SUITE("inference/memory") {
  TEST_CASE("exact weights are read where they are mapped: no copy of them is made on the CPU") {
    const TemporaryFolder folder;
    const std::uint64_t n_file = stream_gguf(medium_model(), folder / "model.gguf");
    REQUIRE(n_file > 50'000'000);

    const MemoryUse before = MemoryUse::now();
    auto engine = inference::Engine::load(on_cpu(folder / "model.gguf"));
    REQUIRE(engine.has_value());
    const auto result = (*engine)->generate({.prompt = {1, 5, 9, 400}, .max_tokens = 2});
    REQUIRE(result.has_value());
    CHECK(result->tokens.size() == 2);
    const MemoryUse after = MemoryUse::now();
    CHECK(after.resident - before.resident > n_file / 2);  // the weights were read
    const auto& executor = (*engine)->info().executor;
    const std::uint64_t known = executor.kv_bytes + executor.activation_bytes;
    CHECK(after.anonymous - before.anonymous < known + n_file / 10);
  }

  TEST_CASE("packed weights are the one copy in memory, while they are made, too") {
    const TemporaryFolder folder;
    const std::uint64_t n_file = stream_gguf(medium_model(), folder / "model.gguf");
    constexpr std::uint64_t kSome = 40'000'000;
    REQUIRE(n_file > 2 * kSome);  // so that a second copy would show

    MemoryUse::forget_peak();
    const MemoryUse before = MemoryUse::now();
    inference::EngineOptions options = on_cpu(folder / "model.gguf");
    options.activations = inference::Activations::kInt8;
    float progress = 0;
    bool grows = true;
    options.progress = [&](inference::LoadStage stage, float fraction) {
      if (stage != inference::LoadStage::kPlacingWeights) return;
      grows = grows && fraction >= progress;
      progress = fraction;
    };
    auto engine = inference::Engine::load(options);
    REQUIRE(engine.has_value());
    CHECK(grows);
    CHECK(progress == 1);
    const auto result = (*engine)->generate({.prompt = {1, 5, 9, 400}, .max_tokens = 2});
    REQUIRE(result.has_value());
    CHECK(result->tokens.size() == 2);
    const MemoryUse after = MemoryUse::now();
    const auto& executor = (*engine)->info().executor;
    const std::uint64_t known = executor.kv_bytes + executor.activation_bytes;
    CHECK(after.anonymous - before.anonymous > n_file / 2);
    CHECK(after.resident - before.resident < n_file + known + kSome / 2);
    CHECK(MemoryUse::peak() - before.resident < n_file + known + kSome);
    std::printf(
        "packed: file %.1f MB, cache and activations %.1f MB; resident %.1f MB, at most %.1f MB\n",
        n_file / 1e6,
        known / 1e6,
        (after.resident - before.resident) / 1e6,
        (MemoryUse::peak() - before.resident) / 1e6);
  }
}

}  // namespace kinglet::test
