// Adapters on the CPU: the same logits as the model they are merged into, within the exact class.
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/synthetic_gguf.h"
#include "tests/inference/synthetic_lora.h"

namespace kinglet::test {

namespace {

using inference::TensorType;

struct Case {
  std::string name;
  SyntheticModel model;
  std::vector<LoraUse> uses;
};

std::vector<Case> cases() {
  const SyntheticModel small = {.hidden = 96, .heads = 3, .kv_heads = 1, .ffn = 160};
  return {
      {"every matrix and the embedding", small, {{{.rank = 8}}}},
      {"a negative half of it", small, {{{.rank = 8}, -0.5F}}},
      {"an odd rank, no alpha", small, {{{.rank = 5, .alpha = 0}}}},
      {"a rank above a vector's width, f16", small, {{{.rank = 40, .type = TensorType::kF16}}}},
      {"q8_0 halves", small, {{{.rank = 32, .type = TensorType::kQ8_0}}}},
      {"some tensors of one layer",
       small,
       {{{.targets = {"blk.1.attn_qkv.weight", "blk.1.ffn_down.weight"}}}}},
      {"three at once",
       small,
       {{{.seed = 1}, 0.7F}, {{.seed = 2, .rank = 16}, -0.4F}, {{.seed = 3}}}},
      {"on quantized weights",
       {.hidden = 128, .ffn = 192, .type = TensorType::kQ4_0},
       {{{.rank = 16, .type = TensorType::kF16}, 0.8F}}},
  };
}

}  // namespace

TEST_SUITE("inference/cpu/adapters") {
  TEST_CASE("logits with adapters are those of the model they are merged into") {
    for (const Case& c : cases()) {
      INFO(c.name);
      const double error =
          lora_error("cpu",
                     {.kv_format = inference::KvFormat::kF32, .n_kv_tokens = 64, .n_threads = 2},
                     synthetic_gguf(c.model),
                     c.uses);
      std::printf("adapters, cpu, %s: %.1e\n", c.name.c_str(), error);
      CHECK(error <= 1e-4);
    }
  }
}

}  // namespace kinglet::test
