// Fuzz target "lora": adapter files for one small model. One that is accepted is put on, and three
// tokens are computed with it.
#include <memory>
#include <string>

#include "inference/backend.h"
#include "inference/gguf.h"
#include "inference/lora.h"
#include "inference/model.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/gguf_mutations.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/inference/synthetic_lora.h"

namespace kinglet::test {
namespace {

using inference::Gguf;
using inference::Lora;

/// A model with separate and joined matrices, and what runs it.
struct Base {
  Base()
      : writer(synthetic_gguf({.architecture = "qwen2",
                               .hidden = 64,
                               .layers = 2,
                               .heads = 2,
                               .kv_heads = 1,
                               .ffn = 64,
                               .vocab = kMinSyntheticVocab + 7})),
        bytes(writer.bytes()),
        model(inference::Model::from_gguf(Gguf::parse(bytes, "base.gguf").value()).value()),
        executor(inference::find_backend("cpu")
                     ->create(model, {.n_kv_tokens = 32, .chunk_tokens = 2, .n_threads = 1})
                     .value()) {}

  GgufWriter writer;
  Bytes bytes;
  std::shared_ptr<const inference::Model> model;
  std::unique_ptr<inference::Executor> executor;
};

Base& base() {
  static Base base;
  return base;
}

void use_adapter(std::shared_ptr<const Lora> lora) {
  Base& b = base();
  for (const inference::Weight* weight : lora->weights()) {
    require(weight->data.size() == weight->n_rows * weight->row_bytes(),
            "a half has the bytes of its rows");
  }
  for (std::size_t role = 0; role < inference::kRoleCount; ++role) {
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
      const auto r = static_cast<inference::Role>(role);
      const inference::LoraPair* pair = lora->pair(r, layer);
      if (pair == nullptr) continue;
      const inference::Weight* weight = b.model->weight(r, layer);
      require(weight != nullptr, "what is changed is there");
      require(pair->rank() > 0 && pair->rank() <= lora->max_rank(), "a rank is within the largest");
    }
  }
  if (!b.executor->set_adapters({{std::move(lora), 0.5F}})) return;
  if (auto sequence = b.executor->new_sequence({.max_tokens = 3})) {
    const std::vector<inference::TokenId> tokens = {0, 5, 0};
    std::vector<float> logits(b.model->hyper_parameters().n_vocabulary);
    require(
        b.executor->forward(*sequence, tokens, inference::LogitsWanted::kLast, logits).has_value(),
        "a model computes with an adapter that it took");
  }
  require(b.executor->set_adapters({}).has_value(), "adapters can be taken off");
}

bool use_lora(std::span<const std::byte> bytes) {
  auto gguf = Gguf::parse(bytes, "fuzzed.gguf");
  if (!gguf) return false;
  const bool is_finite = gguf->check_finite().has_value();
  auto lora = Lora::from_gguf(*std::move(gguf), *base().model);
  if (!lora) {
    require(lora.error().message.find("fuzzed.gguf: ") == 0 && lora.error().message.size() < 2000,
            "a refusal names the file, in reasonable words");
    return false;
  }
  if (is_finite) use_adapter(*std::move(lora));
  return true;
}

Bytes good_lora(std::uint64_t seed) {
  SyntheticLora shape = {.seed = seed % 8, .rank = 1 + static_cast<std::uint32_t>(seed % 9)};
  if (seed % 5 == 1) shape.alpha = 0;
  if (seed % 3 == 1) shape.type = inference::TensorType::kF16;
  if (seed % 3 == 2) {
    shape.rank = 32;
    shape.type = inference::TensorType::kQ8_0;
  }
  if (seed % 4 != 0) shape.targets = {"blk.1.attn_q.weight", "blk.0.ffn_down.weight"};
  return synthetic_lora(base().writer, shape).bytes();
}

}  // namespace

extern const FuzzTarget kLoraFuzz;
const FuzzTarget kLoraFuzz = {
    .name = "lora",
    .use = use_lora,
    .good = good_lora,
    .spoil = spoil_gguf,
    .most_bytes = std::size_t{16} << 20,
    .bytes_per_byte = 16,
};

}  // namespace kinglet::test
