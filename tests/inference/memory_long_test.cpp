// A model of Phi-3.5-mini's real shape on the CPU: it loads, decodes, and takes no more memory than
// its file, its cache and a twentieth.
#include <chrono>
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "tests/inference/memory_use.h"
#include "tests/inference/model_presets.h"
#include "tests/inference/stream_gguf.h"
#include "tests/support/long_test.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

namespace {

constexpr std::uint64_t kSeed = 1;

std::string text_of(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof(text), format, number);
  return text;
}

}  // namespace

TEST_SUITE("inference/memory_long") {
  TEST_CASE("a model of Phi-3.5-mini's shape loads and decodes within its file, cache and 5 %") {
    const TemporaryFolder folder;
    StreamedGguf gguf{.model = model_presets().at("phi-3.5-mini")};
    gguf.model.seed = kSeed;
    gguf.model.mix = "Q4_K_M";
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t n_file = stream_gguf(gguf, folder / "model.gguf");
    const std::chrono::duration<double> making = std::chrono::steady_clock::now() - start;
    CHECK(making.count() < 120);

    inference::EngineOptions options;
    options.model_path = folder / "model.gguf";
    options.backend = inference::BackendChoice::kCpu;
    options.n_context = 512;
    options.n_kv_tokens = 512;
    auto engine = inference::Engine::load(options);
    if (!engine) FAIL(engine.error().message);
    REQUIRE((*engine)->info().n_parameters > 3'800'000'000);
    inference::GenerateRequest request{.prompt = {}, .max_tokens = 16};
    for (std::int32_t token = 1; token <= 480; ++token)
      request.prompt.push_back(token * 61);
    const auto result = (*engine)->generate(request);
    if (!result) FAIL(result.error().message);
    CHECK(result->tokens.size() == 16);

    const MemoryUse use = MemoryUse::now();
    const std::uint64_t n_kv = (*engine)->info().executor.kv_bytes;
    const std::uint64_t limit = (n_file + n_kv) / 100 * 105;
    // The mapping counts as a whole, whether or not its pages have been read.
    const std::uint64_t total = use.anonymous + n_file;
    CHECK(total <= limit);
    CHECK(use.resident <= limit);
    write_results("phi_3_5_memory",
                  "Phi-3.5-mini's shape (3.8 B weights, Q4_K_M) on the CPU backend",
                  kSeed,
                  {{"file", text_of("%.1f MB", n_file / 1e6)},
                   {"made in", text_of("%.0f s", making.count())},
                   {"loaded in", text_of("%.2f s", (*engine)->info().load_seconds)},
                   {"KV cache, 512 positions of f16", text_of("%.1f MB", n_kv / 1e6)},
                   {"private memory, with the cache", text_of("%.1f MB", use.anonymous / 1e6)},
                   {"private memory and the whole file", text_of("%.1f MB", total / 1e6)},
                   {"file, cache and 5 %", text_of("%.1f MB", limit / 1e6)},
                   {"resident", text_of("%.1f MB", use.resident / 1e6)},
                   {"prompt", text_of("%.1f tokens/s", result->stats.prefill_tokens_per_second())},
                   {"decode", text_of("%.2f tokens/s", result->stats.decode_tokens_per_second())},
                   {"threads", std::to_string((*engine)->info().executor.n_threads)}});
  }
}

}  // namespace kinglet::test
