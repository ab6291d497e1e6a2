// The Vulkan backend as a whole, on a software driver, against the float64 reference, by precision
// class; and its greedy texts however the prompt is cut.
#include "inference/gpu/backend.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/conformance.h"
#include "tests/support/skip.h"

namespace kinglet::test {

namespace {

using inference::DeviceInfo;
using inference::DeviceKind;
using inference::ExecutorOptions;
using inference::KvFormat;
using inference::TensorType;
using inference::TokenId;

constexpr double kExact = 1e-4;
constexpr double kF16Cache = 2e-2;
constexpr const char* kDriver = "llvmpipe";

bool has_driver() {
  const auto devices = inference::gpu::devices();
  return devices && std::any_of(devices->begin(), devices->end(), [](const DeviceInfo& device) {
           return device.kind == DeviceKind::kSoftwareGpu;
         });
}

struct Shape {
  std::string name;
  SyntheticModel model;
  std::uint32_t n_tokens = 21;
  std::uint32_t max_tokens = 0;  // of the sequence; 0: n_tokens
};

/// Shapes whose rows are whole blocks of every format.
std::vector<Shape> blocked_shapes() {
  return {
      {"multi-head", {.heads = 4, .kv_heads = 4}},
      {"grouped-query", {.seed = 2, .hidden = 192, .heads = 6, .kv_heads = 2, .ffn = 352}, 40},
      {"multi-query", {.seed = 3, .heads = 4, .kv_heads = 1}, 70},
      {"head size 96", {.seed = 4, .hidden = 288, .layers = 3, .heads = 3, .kv_heads = 1}},
      {"tied output, partial rotary",
       {.seed = 5, .heads = 2, .kv_heads = 2, .rope_dim = 48, .tied = true}},
      {"heads wider than the embedding", {.seed = 6, .hidden = 96, .heads = 4, .head_dim = 64}},
      {"short rope factors", {.seed = 8, .context = 256, .original_context = 64}, 33, 64},
      {"long rope factors", {.seed = 9, .context = 256, .original_context = 64}, 33, 65},
      {"past the original context",
       {.seed = 10, .layers = 1, .context = 256, .original_context = 64},
       150},
  };
}

/// Shapes for formats without blocks: nothing is a multiple of anything.
std::vector<Shape> odd_shapes() {
  return {
      {"odd", {.seed = 20, .hidden = 54, .heads = 3, .kv_heads = 3, .ffn = 77, .vocab = 301}},
      {"odd groups",
       {.seed = 21, .hidden = 50, .heads = 5, .kv_heads = 1, .ffn = 33, .vocab = 271}},
      {"tiny heads", {.seed = 22, .hidden = 14, .heads = 7, .kv_heads = 7, .ffn = 9, .vocab = 265}},
  };
}

double error_of(const LoadedModel& loaded, const Shape& shape, KvFormat format) {
  const auto tokens = random_tokens(shape.n_tokens, loaded.reference->n_vocabulary(), 77);
  const std::uint32_t max_tokens = shape.max_tokens != 0 ? shape.max_tokens : shape.n_tokens;
  const auto expected = loaded.reference->logits(tokens, max_tokens);
  const auto executor = make_executor(
      "vulkan", loaded, {.device = kDriver, .kv_format = format, .n_kv_tokens = max_tokens});
  return logits_error(all_logits(*executor, tokens, max_tokens), expected);
}

}  // namespace

TEST_SUITE("inference/gpu/backend") {
  TEST_CASE("logits are the reference's within the precision classes") {
    if (!has_driver()) SKIP("no software Vulkan driver (llvmpipe)");
    for (const TensorType type :
         {TensorType::kF32, TensorType::kF16, TensorType::kQ8_0, TensorType::kQ4_0}) {
      const std::string format(inference::block_format(type).name);
      double worst_exact = 0;
      double worst_f16 = 0;
      std::vector<Shape> shapes = blocked_shapes();
      if (inference::block_format(type).block_elements == 1) {
        for (const Shape& shape : odd_shapes())
          shapes.push_back(shape);
      }
      for (Shape& shape : shapes) {
        CAPTURE(format);
        CAPTURE(shape.name);
        shape.model.type = type;
        const LoadedModel loaded = load_synthetic(shape.model);
        const double exact = error_of(loaded, shape, KvFormat::kF32);
        const double f16 = error_of(loaded, shape, KvFormat::kF16);
        CHECK(exact <= kExact);
        CHECK(f16 <= kF16Cache);
        // A cache that is not rounded would be no test of the rounded one.
        CHECK(f16 > exact);
        worst_exact = std::max(worst_exact, exact);
        worst_f16 = std::max(worst_f16, f16);
      }
      std::printf("vulkan %s: worst error %.1e exact, %.1e with an f16 cache\n",
                  format.c_str(),
                  worst_exact,
                  worst_f16);
    }
  }
}

}  // namespace kinglet::test
