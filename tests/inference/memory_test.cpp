// The short form of memory_long_test.cpp.
#include "tests/inference/memory_use.h"

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "tests/inference/stream_gguf.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

TEST_SUITE("inference/memory") {
  TEST_CASE("weights are read where they are mapped: no copy of them is made on the CPU") {
    const TemporaryFolder folder;
    StreamedGguf gguf{.model = {.hidden = 1024,
                                .layers = 6,
                                .heads = 8,
                                .kv_heads = 2,
                                .ffn = 4096,
                                .vocab = 8192,
                                .mix = "Q4_K_M"},
                      .n_random_elements = 1U << 16};
    const std::uint64_t n_file = stream_gguf(gguf, folder / "model.gguf");
    REQUIRE(n_file > 50'000'000);

    const MemoryUse before = MemoryUse::now();
    inference::EngineOptions options;
    options.model_path = folder / "model.gguf";
    options.backend = inference::BackendChoice::kCpu;
    options.n_context = 256;
    options.n_threads = 2;
    auto engine = inference::Engine::load(options);
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
}

}  // namespace kinglet::test
