// How many dependent stages a decoded token takes in each layer: what is fused, and what would be
// if nothing were.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "inference/gpu/plan.h"
#include "tests/inference/architecture_shapes.h"
#include "tests/inference/hollow_model.h"
#include "tests/support/skip.h"
#include "tests/vulkan/lab.h"

namespace kinglet::test {

namespace {

using inference::Architecture;
using inference::KvFormat;
using inference::Lowering;
using inference::gpu::Extent;

/// Of one layer in the middle of a pass.
Extent layer_of(const Architecture& architecture, Lowering lowering, std::uint32_t n_tokens) {
  const auto plan_of = [&](std::uint32_t n_layers) {
    SyntheticModel shape = blocked_shape(architecture.name);
    shape.layers = n_layers;
    auto plan = inference::gpu::plan_pass(Lab::get()->device(),
                                          *hollow_model(shape),
                                          KvFormat::kF16,
                                          {.n_tokens = n_tokens, .n_logits = 1, .max_context = 256},
                                          lowering);
    if (!plan) throw std::runtime_error(plan.error().message);
    return plan->all;
  };
  // The first and the last layer may be different, and one may begin where the other ends.
  const Extent two = plan_of(4);
  const Extent one = plan_of(3);
  return {two.n_stages - one.n_stages, two.n_dispatches - one.n_dispatches};
}

}  // namespace

TEST_SUITE("inference/gpu/stages") {
  TEST_CASE("a decoded token takes no more stages a layer than it must") {
    if (Lab::get() == nullptr) SKIP("no software Vulkan driver (llvmpipe)");
    const std::map<std::string, std::uint32_t, std::less<>> most = {
        {"gemma", 5},
        {"gemma2", 9},  // norms between a product and its addition
        {"granite", 5},
        {"llama", 5},
        {"phi3", 5},
        {"qwen2", 5},
        {"qwen3", 6},       // heads are normed before they are turned
        {"starcoder2", 8},  // layer norms, and a unit without gates
    };
    for (const Architecture* architecture : inference::all_architectures()) {
      const std::string name(architecture->name);
      CAPTURE(name);
      const Extent unfused = layer_of(*architecture, Lowering::kUnfused, 1);
      const Extent fused = layer_of(*architecture, Lowering::kFused, 1);
      std::printf("%-10s %2u stages and %2u dispatches a layer, unfused %2u and %2u\n",
                  name.c_str(),
                  fused.n_stages,
                  fused.n_dispatches,
                  unfused.n_stages,
                  unfused.n_dispatches);
      REQUIRE(most.count(name) == 1);
      CHECK(fused.n_stages <= most.at(name));
      CHECK(fused.n_stages < unfused.n_stages);
      // Draft positions see each other: they are stored before any of them looks.
      CHECK(layer_of(*architecture, Lowering::kFused, 16).n_stages <= fused.n_stages + 1);
    }
  }
}

}  // namespace kinglet::test
