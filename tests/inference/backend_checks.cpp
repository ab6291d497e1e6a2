#include "tests/inference/backend_checks.h"

#include <algorithm>
#include <cstdio>

#include <doctest/doctest.h>

namespace kinglet::test {

using inference::KvFormat;
using inference::TensorType;

std::vector<Shape> odd_shapes() {
  return {
      {"odd", {.seed = 20, .hidden = 54, .heads = 3, .kv_heads = 3, .ffn = 77, .vocab = 301}},
      {"odd groups",
       {.seed = 21, .hidden = 50, .heads = 5, .kv_heads = 1, .ffn = 33, .vocab = 271}},
      {"tiny heads", {.seed = 22, .hidden = 14, .heads = 7, .kv_heads = 7, .ffn = 9, .vocab = 265}},
  };
}

double error_of(const BackendUnderTest& backend,
                const LoadedModel& loaded,
                const Shape& shape,
                KvFormat format) {
  const std::uint32_t n_tokens = shape.n_tokens != 0 ? shape.n_tokens : backend.n_tokens;
  const std::uint32_t max_tokens = shape.max_tokens != 0 ? shape.max_tokens : n_tokens;
  const auto tokens = random_tokens(n_tokens, loaded.reference->n_vocabulary(), 77);
  const auto expected = loaded.reference->logits(tokens, max_tokens);
  const auto executor =
      backend.make_executor(loaded, {.kv_format = format, .n_kv_tokens = max_tokens});
  return logits_error(all_logits(*executor, tokens, max_tokens), expected);
}

void check_precision_classes(const BackendUnderTest& backend,
                             const std::vector<Shape>& blocked,
                             const std::vector<Shape>& odd) {
  for (const TensorType type :
       {TensorType::kF32, TensorType::kF16, TensorType::kQ8_0, TensorType::kQ4_0}) {
    const std::string format(inference::block_format(type).name);
    double worst_exact = 0;
    double worst_f16 = 0;
    std::vector<Shape> shapes = blocked;
    if (inference::block_format(type).block_elements == 1) {
      shapes.insert(shapes.end(), odd.begin(), odd.end());
    }
    for (Shape& shape : shapes) {
      CAPTURE(format);
      CAPTURE(shape.name);
      shape.model.type = type;
      const LoadedModel loaded = load_synthetic(shape.model);
      const double exact = error_of(backend, loaded, shape, KvFormat::kF32);
      const double f16 = error_of(backend, loaded, shape, KvFormat::kF16);
      backend.after_model();
      CHECK(exact <= kExact);
      CHECK(f16 <= kF16Cache);
      // A cache that is not rounded would be no test of the rounded one.
      CHECK(f16 > exact);
      worst_exact = std::max(worst_exact, exact);
      worst_f16 = std::max(worst_f16, f16);
    }
    std::printf("%s %s: worst error %.1e exact, %.1e with an f16 cache\n",
                backend.name.c_str(),
                format.c_str(),
                worst_exact,
                worst_f16);
  }
}

void check_block_formats(const BackendUnderTest& backend) {
  for (const inference::BlockFormat* format : inference::block_formats()) {
    const std::string name(format->name);
    CAPTURE(name);
    const Shape shape{
        "whole blocks",
        {.seed = 15, .hidden = 256, .heads = 8, .kv_heads = 4, .ffn = 512, .type = format->type},
        48};
    const LoadedModel loaded = load_synthetic(shape.model);
    const double exact = error_of(backend, loaded, shape, KvFormat::kF32);
    backend.after_model();
    CHECK(exact <= kExact);
    std::printf("%s %s: error %.1e\n", backend.name.c_str(), name.c_str(), exact);
  }
}

}  // namespace kinglet::test
