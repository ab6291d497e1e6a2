// What the passes of real models consist of.
#include "inference/gpu/plan.h"

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gpu/backend.h"
#include "inference/pass_cost.h"
#include "tests/inference/conformance.h"
#include "tests/inference/hollow_model.h"
#include "tests/inference/model_presets.h"
#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::KvFormat;
using inference::gpu::Plan;

SyntheticModel preset(const char* name, const char* mix) {
  SyntheticModel model = model_presets().at(name);
  model.mix = mix;
  return model;
}

/// A decoded token behind `depth` others.
Plan plan_decoding(const inference::Model& model,
                   std::uint32_t depth,
                   std::uint32_t attention_rows = 0) {
  auto plan = inference::gpu::plan_pass(Lab::get()->device(),
                                        model,
                                        KvFormat::kF16,
                                        {.n_tokens = 1, .n_logits = 1, .max_context = depth + 1},
                                        inference::Lowering::kFused,
                                        attention_rows);
  if (!plan) throw std::runtime_error(plan.error().message);
  return *std::move(plan);
}

}  // namespace

TEST_SUITE("inference/gpu/plan") {
  TEST_CASE("a pass is planned without weights, layer by layer alike") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const auto model = hollow_model(preset("phi-3.5-mini", "Q4_K_M"));
    const Plan plan = plan_decoding(*model, 4'096);
    const std::uint32_t n_layers = model->hyper_parameters().n_layers;
    CHECK(plan.layers.n_stages % n_layers == 0);
    CHECK(plan.layers.n_dispatches % n_layers == 0);
    // The lookup before, a norm and the logits after.
    CHECK(plan.all.n_stages > plan.layers.n_stages);
    CHECK(plan.all.n_stages <= plan.layers.n_stages + 4);
    CHECK(plan.all.n_dispatches == plan.dispatches.size());
    CHECK(plan.dispatches.back().stage < plan.all.n_stages);
    CHECK(plan.dispatches.back().stage + 2 >= plan.all.n_stages);
  }

  TEST_CASE("attention's scratch has room for the splits of every cache") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    // Quantized caches are split more often; an assertion looks at each dispatch.
    const auto model = hollow_model(preset("phi-3.5-mini", "Q4_K_M"));
    const auto& h = model->hyper_parameters();
    const auto scratch = [&](vulkan::CacheType type) {
      return inference::gpu::scratch_bytes(h, type, 16, 32'768);
    };
    CHECK(scratch(vulkan::CacheType::kQ4_0) > scratch(vulkan::CacheType::kF32));
    for (const std::uint32_t page_stride : {0, 1'024}) {
      const auto plan = inference::gpu::plan_pass(
          Lab::get()->device(),
          *model,
          KvFormat::kQ4_0,
          {.n_tokens = 16, .n_logits = 1, .max_context = 32'768, .page_stride = page_stride});
      REQUIRE(plan);
      CHECK(plan->dispatches.size() > h.n_layers);
    }
  }

  TEST_CASE("a decoded token takes five stages a layer in tiles of attention as GPUs take them") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    for (const char* name : {"phi-3.5-mini", "phi-4-mini", "qwen2.5-coder-7b"}) {
      CAPTURE(name);
      const auto model = hollow_model(preset(name, "Q4_K_M"));
      const std::uint32_t n_layers = model->hyper_parameters().n_layers;
      const Plan plan = plan_decoding(*model, 4'096, 8);
      CHECK(plan.layers.n_stages == 5 * n_layers);
      // Heads that do not fit one tile are stored before any tile looks.
      const bool fits = model->hyper_parameters().n_heads == model->hyper_parameters().n_kv_heads;
      CHECK(plan_decoding(*model, 4'096, 2).layers.n_stages == (fits ? 5 : 6) * n_layers);
      std::printf("%s, Q4_K_M: %u stages and %u dispatches a layer\n",
                  name,
                  plan.layers.n_stages / n_layers,
                  plan.layers.n_dispatches / n_layers);
    }
  }

  TEST_CASE("a decoded token moves its weights and its cache, and nearly nothing else") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    constexpr std::uint32_t kDepth = 4'096;
    for (const char* name : {"phi-3.5-mini", "phi-4-mini", "qwen2.5-coder-7b"}) {
      CAPTURE(name);
      const auto model = hollow_model(preset(name, "Q4_K_M"));
      const Plan plan = plan_decoding(*model, kDepth);
      for (const vulkan::Dispatch& dispatch : plan.dispatches) {
        CAPTURE(dispatch.kernel->name);
        CHECK(dispatch.traffic.read > 0);
        CHECK(dispatch.traffic.written > 0);
      }
      const inference::PassCost least = inference::pass_cost(
          *model, KvFormat::kF16, {.n_tokens = 1, .depth = kDepth, .n_logits = 1});
      const vulkan::Traffic traffic = plan.traffic();
      const double ratio =
          static_cast<double>(traffic.bytes()) / static_cast<double>(least.bytes());
      std::printf("%s, Q4_K_M, a token at depth %u: %.1f MB, %.4f times weights and cache\n",
                  name,
                  kDepth,
                  static_cast<double>(traffic.bytes()) * 1e-6,
                  ratio);
      CHECK(ratio > 1);
      CHECK(ratio <= 1.03);
      CHECK(traffic.flops >= least.flops());
      CHECK(static_cast<double>(traffic.flops) < 1.01 * static_cast<double>(least.flops()));
    }
  }

  TEST_CASE("a plan is what an executor records, which tells the time of each kernel") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const LoadedModel loaded = load_gguf(synthetic_gguf({.layers = 3, .context = 256}));
    auto made = inference::gpu::create_executor_on(
        Lab::get()->instance(), loaded.model, {.device = test_device(), .n_kv_tokens = 256});
    REQUIRE(made.has_value());
    inference::Executor& executor = **made;
    CHECK_FALSE(executor.last_pass().has_value());
    auto sequence = executor.new_sequence({.max_tokens = 256});
    REQUIRE(sequence.has_value());
    std::vector<float> logits(loaded.model->hyper_parameters().n_vocabulary);
    const auto step = [&] {
      const inference::TokenId token = 7;
      REQUIRE(executor.forward(*sequence, {&token, 1}, inference::LogitsWanted::kLast, logits)
                  .has_value());
      auto pass = executor.last_pass();
      REQUIRE(pass.has_value());
      return *std::move(pass);
    };
    const inference::PassRecord pass = step();
    const Plan plan = plan_decoding(*loaded.model, 255);
    CHECK(pass.n_dispatches == plan.all.n_dispatches);
    // Parts of a slow device's recording are stages, too, even where nothing would be waited for.
    CHECK(pass.n_stages >= plan.all.n_stages);
    CHECK(pass.n_stages < plan.all.n_stages + pass.n_submits);
    CHECK(pass.dispatches_per_layer == plan.layers.n_dispatches / 3.0);
    std::uint32_t n_dispatches = 0;
    std::uint64_t bytes = 0;
    for (const inference::KernelUse& kernel : pass.kernels) {
      n_dispatches += kernel.n_dispatches;
      bytes += kernel.bytes;
      CHECK(kernel.seconds == 0);
    }
    CHECK(n_dispatches == pass.n_dispatches);
    // Of the one position that there is, not of all that the recording has room for.
    CHECK(bytes == plan_decoding(*loaded.model, 0).traffic().bytes());
    CHECK(bytes < plan.traffic().bytes());

    const std::vector<float> untimed = logits;
    executor.time_kernels(true);
    executor.truncate(*sequence, 0);
    const inference::PassRecord timed = step();
    CHECK(logits == untimed);
    REQUIRE(timed.kernels.size() == pass.kernels.size());
    double before = timed.kernels.front().seconds;
    for (const inference::KernelUse& kernel : timed.kernels) {
      CHECK(kernel.seconds > 0);
      CHECK(kernel.seconds <= before);
      before = kernel.seconds;
    }
    executor.time_kernels(false);
    CHECK(step().kernels.front().seconds == 0);
  }

  TEST_CASE("what has no kernel is not planned") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    SyntheticModel wide;
    wide.ffn = vulkan::kMaxColumns + 128;
    const auto model = hollow_model(wide);
    const auto plan = inference::gpu::plan_pass(
        Lab::get()->device(), *model, KvFormat::kF16, {.n_tokens = 1, .max_context = 1});
    REQUIRE(!plan.has_value());
    CHECK(plan.error().code == ErrorCode::kUnsupported);
    CHECK(plan.error().message.find("ffn_down") != std::string::npos);
  }
}

}  // namespace kinglet::test
