// How far q8 and q4 caches move a model's distributions, on every backend. DESIGN.md asks that the
// distance is stated: it is printed here, and bounded a little above what was measured.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/conformance.h"
#include "tests/support/skip.h"

namespace kinglet::test {

namespace {

using inference::KvFormat;

struct Shape {
  std::string name;
  SyntheticModel model;
};

std::vector<Shape> shapes() {
  return {
      {"heads of 64", {.seed = 41, .hidden = 256, .heads = 4, .kv_heads = 2}},
      {"heads of 96", {.seed = 42, .hidden = 288, .heads = 3, .kv_heads = 1}},
      {"heads of 80, padded", {.seed = 43, .hidden = 160, .heads = 2, .kv_heads = 2}},
      {"heads of 18, padded", {.seed = 44, .hidden = 54, .heads = 3, .kv_heads = 1, .ffn = 96}},
  };
}

/// The worst of the shapes: the mean divergence from the float64 reference with an exact cache.
double divergence(const char* backend, const char* device, KvFormat format) {
  double worst = 0;
  for (Shape& shape : shapes()) {
    shape.model.type = inference::TensorType::kF32;
    const LoadedModel loaded = load_synthetic(shape.model);
    constexpr std::uint32_t kTokens = 50;
    const auto tokens = random_tokens(kTokens, loaded.reference->n_vocabulary(), 5);
    const auto expected = loaded.reference->logits(tokens, kTokens);
    const auto executor = make_executor(
        backend,
        loaded,
        {.device = device, .kv_format = format, .n_kv_tokens = kTokens, .n_threads = 1});
    // In two steps: what the first stored the second reads.
    const double found = mean_divergence(all_logits(*executor, tokens, kTokens, 33), expected);
    CAPTURE(shape.name);
    CHECK(found >= 0);
    worst = std::max(worst, found);
  }
  return worst;
}

/// A Qwen 2 of which one element of each head's keys is far from zero, as trained ones have them:
/// its block's other elements would be lost in its quants.
LoadedModel with_large_keys() {
  GgufWriter writer = synthetic_gguf(
      {.architecture = "qwen2", .seed = 45, .hidden = 128, .heads = 2, .kv_heads = 2});
  for (const char* name : {"blk.0.attn_k.bias", "blk.1.attn_k.bias"}) {
    auto& bytes = writer.tensor(name).data;
    constexpr float kLarge = 60;
    for (std::size_t head = 0; head < 2; ++head) {
      std::memcpy(bytes.data() + (head * 64 + 63) * sizeof(float), &kLarge, sizeof(kLarge));
    }
  }
  return load_gguf(writer);
}

struct Bound {
  KvFormat format;
  double most;  // nats
};
constexpr Bound kBounds[] = {
    {KvFormat::kF32, 1e-9},
    {KvFormat::kF16, 1e-6},
    {KvFormat::kQ8_0, 1e-4},
    {KvFormat::kQ4_0, 2e-2},
};

void check_backend(const char* backend, const char* device) {
  double before = 0;
  for (const Bound& bound : kBounds) {
    const double found = divergence(backend, device, bound.format);
    std::printf("%s, %s cache: mean KL %.1e nats from the reference\n",
                backend,
                std::string(name_of(bound.format)).c_str(),
                found);
    CHECK(found <= bound.most);
    CHECK(found >= before);  // else the format stored more than it says
    before = found;
  }
}

}  // namespace

TEST_SUITE("inference/quantized_cache") {
  TEST_CASE("bytes of a row are whole blocks") {
    CHECK(kv_row_bytes(KvFormat::kF32, 96) == 384);
    CHECK(kv_row_bytes(KvFormat::kF16, 96) == 192);
    CHECK(kv_row_bytes(KvFormat::kQ8_0, 96) == 102);
    CHECK(kv_row_bytes(KvFormat::kQ4_0, 96) == 54);
    CHECK(kv_row_bytes(KvFormat::kQ8_0, 80) == 102);
    CHECK(kv_row_bytes(KvFormat::kQ4_0, 1) == 18);
  }

  TEST_CASE("a smaller cache moves the CPU's distributions a little") {
    check_backend("cpu", "");
  }

  TEST_CASE("q4 stands large numbers in keys, because heads are turned") {
    const LoadedModel loaded = with_large_keys();
    constexpr std::uint32_t kTokens = 50;
    const auto tokens = random_tokens(kTokens, loaded.reference->n_vocabulary(), 6);
    const auto executor = make_executor(
        "cpu", loaded, {.kv_format = KvFormat::kQ4_0, .n_kv_tokens = kTokens, .n_threads = 1});
    const double found = mean_divergence(all_logits(*executor, tokens, kTokens),
                                         loaded.reference->logits(tokens, kTokens));
    std::printf("cpu, q4 cache, large keys: mean KL %.1e nats from the reference\n", found);
    CHECK(found < 6e-2);  // as they are it is 1.3e-1
  }

  TEST_CASE("and the GPU's as little") {
    const auto* vulkan = inference::find_backend("vulkan");
    REQUIRE(vulkan != nullptr);
    if (!vulkan->devices()) SKIP("no Vulkan driver");
    check_backend("vulkan", "llvmpipe");
  }
}

}  // namespace kinglet::test
