#include "tests/inference/architecture_shapes.h"

namespace kinglet::test {

std::vector<ArchitectureShape> architecture_shapes(std::string_view architecture) {
  const auto is = [&](std::string_view name) { return architecture == name; };
  const bool is_gemma = is("gemma") || is("gemma2");
  std::vector<ArchitectureShape> shapes = {
      {"multi-head", {.heads = 4, .kv_heads = 4}},
      {"grouped-query", {.hidden = 192, .heads = 6, .kv_heads = 2, .ffn = 352}, 70},
      {"multi-query", {.heads = 4, .kv_heads = 1}, 65},
      {"head size 96", {.hidden = 288, .heads = 3, .kv_heads = 1}},
      {"odd head size", {.hidden = 54, .heads = 3, .kv_heads = 3, .ffn = 77, .vocab = 301}},
      {"heads wider than the embedding", {.hidden = 96, .heads = 4, .head_dim = 64}},
      {"partial rotary", {.heads = 2, .kv_heads = 2, .rope_dim = 48}},
  };
  if (!is_gemma) shapes.push_back({"tied output", {.tied = true}});
  if (is("phi3")) {
    // The form of Phi-4-mini.
    shapes.push_back({"partial rotary, tied, long factors",
                      {.hidden = 192,
                       .heads = 6,
                       .kv_heads = 2,
                       .rope_dim = 24,
                       .context = 256,
                       .original_context = 64,
                       .tied = true},
                      100});
    shapes.push_back({"short factors", {.context = 256, .original_context = 64}, 64});
    shapes.push_back({"long factors", {.context = 256, .original_context = 64}, 150});
  } else {
    for (const char* scaling : {"linear", "yarn"}) {
      shapes.push_back({std::string("past the original context, ") + scaling,
                        {.context = 256, .original_context = 64, .rope_scaling = scaling},
                        150});
    }
  }
  if (is("llama") || is("granite")) {
    shapes.push_back({"past the original context, llama3",
                      {.context = 256, .original_context = 64, .rope_scaling = "llama3"},
                      150});
    shapes.push_back({"biases", {.optional_biases = true}});
  }
  if (is("gemma2") || is("llama") || is("phi3") || is("starcoder2")) {
    shapes.push_back({"window smaller than the prompt", {.layers = 3, .sliding_window = 20}, 70});
    shapes.push_back({"window of a page", {.layers = 3, .sliding_window = 32}, 70});
  }
  std::uint64_t seed = 100;
  for (ArchitectureShape& shape : shapes) {
    shape.model.architecture = architecture;
    shape.model.seed = ++seed;
  }
  return shapes;
}

SyntheticModel blocked_shape(std::string_view architecture) {
  return {.architecture = std::string(architecture),
          .seed = 90,
          .hidden = 256,
          .heads = 4,
          .kv_heads = 2,
          .ffn = 512};
}

}  // namespace kinglet::test
