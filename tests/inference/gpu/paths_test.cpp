// The ways to multiply weights, each forced, against the float64 reference: by precision class, for
// few tokens and for many. And groups of operations against single ones.
#include <algorithm>
#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include "inference/gpu/backend.h"
#include "tests/inference/architecture_shapes.h"
#include "tests/inference/conformance.h"
#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::ExecutorOptions;
using inference::KvFormat;
using inference::Lowering;
using inference::ProductPath;
using inference::TensorType;

constexpr double kExact = 1e-4;
constexpr double kHalves = 2e-2;          // "f16 matrices", of the logits' standard deviation
constexpr double kByteDivergence = 1e-3;  // "8-bit activations", in nats

constexpr std::uint32_t kTokens = 44;

struct Errors {
  double logits = 0;
  double divergence = 0;
  double stages_per_layer = 0;  // of the last pass
};

/// Prompts of `step` tokens at a time.
Result<Errors> errors_of(const LoadedModel& loaded,
                         ExecutorOptions options,
                         std::uint32_t step,
                         KvFormat kv_format = KvFormat::kF32) {
  options.device = test_device();
  options.kv_format = kv_format;
  options.n_kv_tokens = kTokens;
  options.chunk_tokens = 64;
  const auto executor =
      TRY(inference::gpu::create_executor_on(Lab::get()->instance(), loaded.model, options));
  const auto tokens = random_tokens(kTokens, loaded.reference->n_vocabulary(), 77);
  const auto expected = loaded.reference->logits(tokens, kTokens);
  const auto actual = all_logits(*executor, tokens, kTokens, step);
  return Errors{logits_error(actual, expected),
                mean_divergence(actual, expected),
                executor->last_pass()->stages_per_layer};
}

}  // namespace

TEST_SUITE("inference/gpu/paths") {
  TEST_CASE("every path holds the gates of its precision class, few tokens and many") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    struct Row {
      ProductPath path;
      const char* name;
      double most_error;
      double most_divergence;
    };
    const Row rows[] = {
        {ProductPath::kAuto, "auto", kExact, kByteDivergence},  // with an exact cache
        {ProductPath::kFloat, "float", kExact, kByteDivergence},
        {ProductPath::kHalf, "half", kHalves, kByteDivergence},
        {ProductPath::kIntegerDot, "integer-dot", 1, kByteDivergence},
        {ProductPath::kMatrix, "matrix", kHalves, kByteDivergence},
    };
    for (const Row& row : rows) {
      CAPTURE(row.name);
      Errors worst;
      bool is_there = true;
      for (const TensorType type : {TensorType::kQ8_0, TensorType::kQ4_K, TensorType::kQ6_K}) {
        SyntheticModel shape = blocked_shape("llama");
        shape.type = type;
        const LoadedModel loaded = load_synthetic(shape);
        for (const std::uint32_t step : {kTokens, 3U}) {
          CAPTURE(step);
          const auto errors = errors_of(loaded, {.product_path = row.path}, step);
          if (!errors) {
            // What the device does not have is said, not computed otherwise.
            CHECK(errors.error().code == ErrorCode::kUnsupported);
            CHECK(errors.error().message.find("let the path be chosen") != std::string::npos);
            std::printf("vulkan, %s: %s\n", row.name, errors.error().message.c_str());
            is_there = false;
            break;
          }
          CHECK(errors->logits <= row.most_error);
          CHECK(errors->divergence <= row.most_divergence);
          worst.logits = std::max(worst.logits, errors->logits);
          worst.divergence = std::max(worst.divergence, errors->divergence);
        }
        if (!is_there) break;
      }
      if (!is_there) continue;
      // Attention takes the path, too, where the cache is not exact.
      if (row.path == ProductPath::kHalf || row.path == ProductPath::kMatrix) {
        const LoadedModel loaded = load_synthetic(blocked_shape("llama"));
        const auto errors = errors_of(loaded, {.product_path = row.path}, kTokens, KvFormat::kF16);
        REQUIRE(errors.has_value());
        CHECK(errors->logits <= row.most_error);
        worst.logits = std::max(worst.logits, errors->logits);
      }
      // Bytes that round nothing would be no test of bytes.
      if (row.path == ProductPath::kIntegerDot) CHECK(worst.logits > kExact);
      std::printf("vulkan, %s path: worst error %.1e, mean divergence %.1e\n",
                  row.name,
                  worst.logits,
                  worst.divergence);
    }
  }

  TEST_CASE("operations one by one compute what their groups do") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    for (const auto* architecture : inference::all_architectures()) {
      const std::string name(architecture->name);
      CAPTURE(name);
      const LoadedModel loaded = load_synthetic(architecture_shapes(name).front().model);
      for (const std::uint32_t step : {kTokens, 1U}) {
        CAPTURE(step);
        const auto errors = errors_of(loaded, {.lowering = Lowering::kUnfused}, step);
        REQUIRE(errors.has_value());
        CHECK(errors->logits <= kExact);
        const auto fused = errors_of(loaded, {.lowering = Lowering::kFused}, step);
        REQUIRE(fused.has_value());
        CHECK(fused->logits <= kExact);
        // The executor did not heed the option once, and groups were compared with the reference.
        CHECK(errors->stages_per_layer > fused->stages_per_layer);
      }
    }
  }

  TEST_CASE("activations of bytes are the integer-dot path's") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded = load_synthetic(blocked_shape("llama"));
    ExecutorOptions options = {
        .device = test_device(), .activations = inference::Activations::kInt8, .n_kv_tokens = 64};
    const auto fast =
        inference::gpu::create_executor_on(Lab::get()->instance(), loaded.model, options);
    if (fast) {
      CHECK((*fast)->info().activations == inference::Activations::kInt8);
    } else {
      CHECK(fast.error().code == ErrorCode::kUnsupported);
    }
    options.product_path = ProductPath::kFloat;
    const auto both =
        inference::gpu::create_executor_on(Lab::get()->instance(), loaded.model, options);
    REQUIRE(!both.has_value());
    CHECK(both.error().code == ErrorCode::kInvalidArgument);
  }
}

}  // namespace kinglet::test
