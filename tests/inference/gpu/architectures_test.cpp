// Every architecture on the Vulkan backend, on a software driver, against the float64 reference.
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

using inference::Architecture;
using inference::KvFormat;

constexpr double kExact = 1e-4;
constexpr double kF16Cache = 2e-2;
// Past the original contexts, windows and pages of all shapes; more would only take longer.
constexpr std::uint32_t kMostTokens = 72;

/// Prefill in uneven steps, the last of them short ones: tiles, matrix times vector, and attention
/// over what earlier passes stored.
double error_of(const LoadedModel& loaded, std::uint32_t n_tokens, KvFormat format) {
  const auto tokens = random_tokens(n_tokens, loaded.reference->n_vocabulary(), 77);
  const auto expected = loaded.reference->logits(tokens, n_tokens);
  const auto executor = inference::gpu::create_executor_on(
      Lab::get()->instance(),
      loaded.model,
      {.device = test_device(), .kv_format = format, .n_kv_tokens = n_tokens, .chunk_tokens = 35});
  REQUIRE_MESSAGE(executor.has_value(), executor.error().message);
  return logits_error(all_logits(**executor, tokens, n_tokens, 37), expected);
}

}  // namespace

TEST_SUITE("inference/gpu/architectures") {
  TEST_CASE("logits of every architecture and shape are the reference's") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    for (const Architecture* architecture : inference::all_architectures()) {
      const std::string name(architecture->name);
      CAPTURE(name);
      auto shapes = architecture_shapes(name);
      // The layers see as much in one model as in ten: the last has windows or stretched rope.
      if (under_validation()) shapes.erase(shapes.begin(), shapes.end() - 1);
      double worst = 0;
      for (const ArchitectureShape& shape : shapes) {
        CAPTURE(shape.name);
        const LoadedModel loaded = load_synthetic(shape.model);
        const std::uint32_t n_tokens = std::min(shape.n_tokens, kMostTokens);
        const double exact = error_of(loaded, n_tokens, KvFormat::kF32);
        CHECK(exact <= kExact);
        worst = std::max(worst, exact);
        if (shape.name != shapes.front().name) continue;
        const double f16 = error_of(loaded, n_tokens, KvFormat::kF16);
        CHECK(f16 <= kF16Cache);
        // A cache that is not rounded would be no test of the rounded one.
        CHECK(f16 > exact);
      }
      for (const std::string& message : take_messages())
        FAIL_CHECK(message);
      std::printf("vulkan %s: worst error %.1e with an exact cache\n", name.c_str(), worst);
    }
  }
}

}  // namespace kinglet::test
