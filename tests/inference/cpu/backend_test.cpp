// The CPU backend as a whole against the float64 reference, by precision class.
#include "inference/cpu/backend.h"

#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/backend_checks.h"
#include "tests/inference/conformance.h"

namespace kinglet::test {

namespace {

using inference::Activations;
using inference::KvFormat;
using inference::TensorType;
using inference::TokenId;

/// Shapes whose rows are whole blocks of every format.
std::vector<Shape> blocked_shapes() {
  return {
      {"multi-head", {.heads = 4, .kv_heads = 4}},
      {"grouped-query", {.seed = 2, .hidden = 192, .heads = 6, .kv_heads = 2, .ffn = 352}},
      {"multi-query", {.seed = 3, .heads = 4, .kv_heads = 1}, 70},
      {"head size 96", {.seed = 4, .hidden = 288, .layers = 3, .heads = 3, .kv_heads = 1}, 65},
      {"tied output", {.seed = 5, .tied = true}},
      {"heads wider than the embedding", {.seed = 6, .hidden = 96, .heads = 4, .head_dim = 64}},
      {"partial rotary", {.seed = 7, .hidden = 128, .heads = 2, .kv_heads = 2, .rope_dim = 48}},
      {"short rope factors", {.seed = 8, .context = 256, .original_context = 64}, 48, 64},
      {"long rope factors", {.seed = 9, .context = 256, .original_context = 64}, 48, 65},
      {"past the original context", {.seed = 10, .context = 256, .original_context = 64}, 150},
      {"more columns than a panel", {.seed = 11, .layers = 1, .ffn = 1120}},
  };
}

const BackendUnderTest kCpu = {
    .name = "cpu",
    .make_executor =
        [](const LoadedModel& loaded, inference::ExecutorOptions options) {
          options.n_threads = 2;
          return make_executor("cpu", loaded, options);
        },
};

}  // namespace

TEST_SUITE("inference/cpu/backend") {
  TEST_CASE("logits are the reference's within the precision classes") {
    check_precision_classes(kCpu, blocked_shapes(), odd_shapes());
  }

  TEST_CASE("every block format computes what its numbers are") {
    check_block_formats(kCpu);
  }

  TEST_CASE("sequences continued together are continued as they would be alone") {
    check_sequences_together(kCpu);
  }

  TEST_CASE("greedy decoding gives the text that choosing each token would") {
    check_greedy_decoding(kCpu);
  }

  TEST_CASE("a sliding window hides what lies before it") {
    for (const std::uint32_t window : {1U, 20U, 32U, 33U}) {
      CAPTURE(window);
      GgufWriter writer = synthetic_gguf({.seed = 12});
      writer.put("phi3.attention.sliding_window", window);
      const LoadedModel loaded = load_gguf(writer);
      const Shape shape{"window", {}, 100};
      CHECK(error_of(kCpu, loaded, shape, KvFormat::kF32) <= kExact);
      CHECK(error_of(kCpu, loaded, shape, KvFormat::kF16) <= kF16Cache);
    }
  }

  TEST_CASE("threads and chunks do not change a bit of the logits") {
    const LoadedModel loaded = load_synthetic({.seed = 13, .type = TensorType::kQ4_0});
    const auto tokens = random_tokens(100, 384, 5);
    for (const auto activations : {Activations::kF32, Activations::kInt8}) {
      std::vector<float> expected;
      for (const std::uint32_t n_threads : {1U, 2U, 3U}) {
        for (const std::uint32_t chunk_tokens : {1U, 7U, 32U, 128U}) {
          const auto executor = make_executor("cpu",
                                              loaded,
                                              {.kv_format = KvFormat::kF16,
                                               .activations = activations,
                                               .n_kv_tokens = 128,
                                               .chunk_tokens = chunk_tokens,
                                               .n_threads = n_threads});
          const auto logits = all_logits(*executor, tokens, 128);
          if (expected.empty()) expected = logits;
          CHECK(logits == expected);
        }
      }
    }
  }

  TEST_CASE("prefill in chunks, at once and token by token: the same greedy text") {
    for (const KvFormat format : {KvFormat::kF32, KvFormat::kF16}) {
      const double tolerance = format == KvFormat::kF32 ? kExact : kF16Cache;
      const LoadedModel loaded =
          load_synthetic({.seed = 14, .context = 512, .original_context = 200});
      int n_different = 0;
      for (std::uint32_t prompt_seed = 0; prompt_seed < 5; ++prompt_seed) {
        const auto prompt = random_tokens(40 + 13 * prompt_seed, 384, prompt_seed);
        const auto text_of = [&](std::uint32_t chunk_tokens, std::uint32_t step) {
          const auto executor = make_executor("cpu",
                                              loaded,
                                              {.kv_format = format,
                                               .n_kv_tokens = 512,
                                               .chunk_tokens = chunk_tokens,
                                               .n_threads = 2});
          return greedy_text(*executor, prompt, 200, step);
        };
        const auto at_once = text_of(512, 0);
        REQUIRE(at_once.size() == 200);
        const struct {
          std::uint32_t chunk_tokens;
          std::uint32_t step;
        } ways[] = {{8, 0}, {33, 0}, {64, 50}, {16, 1}};
        for (const auto& way : ways) {
          CAPTURE(way.chunk_tokens);
          CAPTURE(way.step);
          const auto text = text_of(way.chunk_tokens, way.step);
          const Difference difference = first_difference(*loaded.reference, prompt, at_once, text);
          if (!difference.found) continue;
          ++n_different;
          CHECK(difference.reference_gap <= 2 * tolerance);
        }
      }
      std::printf("cpu greedy texts, %s cache: %d of 20 differ\n",
                  format == KvFormat::kF32 ? "f32" : "f16",
                  n_different);
      CHECK(n_different == 0);  // this backend's sums do not depend on the split
    }
  }

  TEST_CASE("a model is refused by the name of what is too large") {
    const LoadedModel loaded = load_synthetic(
        {.hidden = 32, .layers = 1, .heads = 1, .kv_heads = 1, .head_dim = 514, .ffn = 32});
    const auto* cpu = inference::find_backend("cpu");
    const auto heads = cpu->create(loaded.model, {});
    REQUIRE(!heads.has_value());
    CHECK(heads.error().code == ErrorCode::kUnsupported);
    CHECK(heads.error().message.find("heads of 514") != std::string::npos);

    const LoadedModel small = load_synthetic({});
    const auto cache = cpu->create(small.model, {.n_kv_tokens = 4'000'000'000U});
    REQUIRE(!cache.has_value());
    CHECK(cache.error().code == ErrorCode::kOutOfMemory);
    CHECK(cache.error().message.find("KV cache: ") == 0);
  }
}

}  // namespace kinglet::test
