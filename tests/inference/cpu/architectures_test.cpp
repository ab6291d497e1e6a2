// Every architecture on the CPU backend against the float64 reference.
#include "tests/inference/architecture_shapes.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/conformance.h"

namespace kinglet::test {

namespace {

using inference::Activations;
using inference::Architecture;
using inference::KvFormat;
using inference::Lowering;

constexpr double kExact = 1e-4;
constexpr double kF16Cache = 2e-2;

struct Errors {
  double exact = 0;
  double f16_cache = 0;
};

Errors errors_of(const SyntheticModel& model, std::uint32_t n_tokens) {
  const LoadedModel loaded = load_synthetic(model);
  const auto tokens = random_tokens(n_tokens, loaded.reference->n_vocabulary(), 77);
  const auto expected = loaded.reference->logits(tokens, n_tokens);
  const auto error_with = [&](KvFormat format) {
    const auto executor = make_executor(
        "cpu", loaded, {.kv_format = format, .n_kv_tokens = n_tokens, .n_threads = 2});
    // Prefill and decode.
    const auto logits = all_logits(*executor, tokens, n_tokens);
    const auto decoded = all_logits(*executor, tokens, n_tokens, 1);
    return std::max(logits_error(logits, expected), logits_error(decoded, expected));
  };
  return {error_with(KvFormat::kF32), error_with(KvFormat::kF16)};
}

std::vector<std::vector<double>> rows_of(const std::vector<float>& logits, std::size_t n) {
  std::vector<std::vector<double>> rows;
  for (auto row = logits.begin(); row != logits.end(); row += static_cast<std::ptrdiff_t>(n))
    rows.emplace_back(row, row + static_cast<std::ptrdiff_t>(n));
  return rows;
}

}  // namespace

TEST_SUITE("inference/cpu/architectures") {
  TEST_CASE("logits of every architecture and shape are the reference's") {
    for (const Architecture* architecture : inference::all_architectures()) {
      const std::string name(architecture->name);
      CAPTURE(name);
      Errors worst;
      for (const ArchitectureShape& shape : architecture_shapes(name)) {
        CAPTURE(shape.name);
        const Errors errors = errors_of(shape.model, shape.n_tokens);
        CHECK(errors.exact <= kExact);
        CHECK(errors.f16_cache <= kF16Cache);
        // A cache that is not rounded would be no test of the rounded one.
        CHECK(errors.f16_cache > errors.exact);
        worst.exact = std::max(worst.exact, errors.exact);
        worst.f16_cache = std::max(worst.f16_cache, errors.f16_cache);
      }
      std::printf("cpu %s: worst error %.1e exact, %.1e with an f16 cache\n",
                  name.c_str(),
                  worst.exact,
                  worst.f16_cache);
    }
  }

  TEST_CASE("operations one by one compute what their groups do") {
    for (const Architecture* architecture : inference::all_architectures()) {
      const std::string name(architecture->name);
      CAPTURE(name);
      SyntheticModel model = blocked_shape(name);
      model.type = inference::TensorType::kQ4_0;
      const LoadedModel loaded = load_synthetic(model);
      const auto tokens = random_tokens(40, loaded.reference->n_vocabulary(), 78);
      for (const Activations activations : {Activations::kF32, Activations::kInt8}) {
        const auto logits_of = [&](Lowering lowering, std::uint32_t step) {
          const auto executor = make_executor("cpu",
                                              loaded,
                                              {.activations = activations,
                                               .n_kv_tokens = 40,
                                               .n_threads = 2,
                                               .lowering = lowering});
          return all_logits(*executor, tokens, 40, step);
        };
        for (const std::uint32_t step : {0U, 1U}) {
          const std::vector<float> fused = logits_of(Lowering::kFused, step);
          const std::vector<float> unfused = logits_of(Lowering::kUnfused, step);
          // To the bit, but where a scaled product is added, at once and so rounded once less.
          if (loaded.model->hyper_parameters().residual_scale == 1) {
            CHECK(fused == unfused);
          } else {
            const auto expected = rows_of(unfused, loaded.reference->n_vocabulary());
            CHECK(logits_error(fused, expected) <=
                  (activations == Activations::kF32 ? kExact : kF16Cache));
          }
        }
      }
    }
  }

  TEST_CASE("logits of the mixes that people download are the reference's") {
    for (const Architecture* architecture : inference::all_architectures()) {
      for (const char* mix : {"Q4_K_M", "Q5_K_M"}) {
        CAPTURE(architecture->name);
        CAPTURE(mix);
        SyntheticModel model = blocked_shape(architecture->name);
        model.mix = mix;
        const Errors errors = errors_of(model, 48);
        CHECK(errors.exact <= kExact);
        CHECK(errors.f16_cache <= kF16Cache);
      }
    }
  }
}

}  // namespace kinglet::test
