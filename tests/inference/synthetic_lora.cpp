#include "tests/inference/synthetic_lora.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string_view>

#include "tests/inference/conformance.h"
#include "tests/inference/reference_model.h"

namespace kinglet::test {

namespace {

using inference::Gguf;
using inference::TensorInfo;

/// Uniform, of variance 1. (The standard library's distributions differ between implementations.)
std::vector<float> numbers(std::mt19937_64& random, std::uint64_t n, double deviation) {
  std::vector<float> result(n);
  for (float& x : result) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    x = static_cast<float>((2 * unit - 1) * std::sqrt(3.0) * deviation);
  }
  return result;
}

Gguf parse(const Bytes& bytes, const char* name) {
  auto gguf = Gguf::parse(bytes, name);
  if (!gguf) throw std::runtime_error(gguf.error().message);
  return *std::move(gguf);
}

constexpr std::string_view kEmbedding = "token_embd.weight";

}  // namespace

GgufWriter synthetic_lora(const GgufWriter& model, const SyntheticLora& shape) {
  const Bytes bytes = model.bytes();
  return synthetic_lora(parse(bytes, "model"), shape);
}

GgufWriter synthetic_lora(const Gguf& gguf, const SyntheticLora& shape) {
  GgufWriter writer;
  writer.put_string("general.type", "adapter");
  writer.put_string("general.architecture",
                    *gguf.require<std::string_view>("general.architecture"));
  writer.put_string("general.name", "adapter-" + std::to_string(shape.seed));
  writer.put_string("adapter.type", "lora");
  writer.put("adapter.lora.alpha", shape.alpha);
  std::mt19937_64 random(shape.seed);
  for (const TensorInfo& tensor : gguf.tensors()) {
    const std::string name(tensor.name);
    const bool is_wanted =
        shape.targets.empty()
            ? tensor.n_dims == 2
            : std::find(shape.targets.begin(), shape.targets.end(), name) != shape.targets.end();
    if (!is_wanted) continue;
    const std::uint64_t n_in = tensor.shape[0];
    const std::uint64_t n_out = tensor.shape[1];
    const std::uint64_t rank = shape.rank;
    // B A has the weights' deviation at a scale of alpha / rank = 1.
    const double narrow = 1 / std::sqrt(static_cast<double>(rank));
    const double wide = 1 / std::sqrt(static_cast<double>(n_in));
    if (name == kEmbedding) {
      writer.add_floats(
          name + ".lora_a", shape.type, {rank, n_out}, numbers(random, rank * n_out, 1));
      writer.add_floats(
          name + ".lora_b", shape.type, {rank, n_in}, numbers(random, rank * n_in, narrow));
    } else {
      writer.add_floats(
          name + ".lora_a", shape.type, {n_in, rank}, numbers(random, n_in * rank, wide));
      writer.add_floats(
          name + ".lora_b", shape.type, {rank, n_out}, numbers(random, rank * n_out, narrow));
    }
  }
  return writer;
}

GgufWriter merge_lora(GgufWriter model, const GgufWriter& lora, double scale) {
  const Bytes model_bytes = model.bytes();
  const Bytes lora_bytes = lora.bytes();
  const Gguf base = parse(model_bytes, "model");
  const Gguf change = parse(lora_bytes, "lora");
  const double alpha = *change.require<float>("adapter.lora.alpha");
  for (const TensorInfo& tensor : base.tensors()) {
    const std::string name(tensor.name);
    const TensorInfo* a_tensor = change.find_tensor(name + ".lora_a");
    const TensorInfo* b_tensor = change.find_tensor(name + ".lora_b");
    if (a_tensor == nullptr || b_tensor == nullptr) continue;
    std::vector<double> w = reference_dequantize(tensor);           // (n_out, n_in)
    const std::vector<double> a = reference_dequantize(*a_tensor);  // (rank, n_in)
    const std::vector<double> b = reference_dequantize(*b_tensor);  // (n_out, rank)
    const std::size_t rank = b_tensor->shape[0];
    const std::size_t n_in = tensor.shape[0];
    const std::size_t n_out = tensor.shape[1];
    const double factor = scale * (alpha != 0 ? alpha / static_cast<double>(rank) : 1);
    for (std::size_t row = 0; row < n_out; ++row) {
      for (std::size_t column = 0; column < n_in; ++column) {
        for (std::size_t r = 0; r < rank; ++r) {
          // Of the embedding a is (n_out, rank), b is (n_in, rank).
          w[row * n_in + column] +=
              factor * (name == kEmbedding ? a[row * rank + r] * b[column * rank + r]
                                           : b[row * rank + r] * a[r * n_in + column]);
        }
      }
    }
    GgufWriter merged;
    merged.add_floats(
        name, inference::TensorType::kF32, {n_in, n_out}, std::vector<float>(w.begin(), w.end()));
    model.tensor(name) = merged.tensor(name);
  }
  return model;
}

LoadedLora load_lora(const GgufWriter& lora, const inference::Model& model) {
  LoadedLora loaded;
  loaded.bytes = lora.bytes();
  auto read = inference::Lora::from_gguf(parse(loaded.bytes, "lora.gguf"), model);
  if (!read) throw std::runtime_error(read.error().message);
  loaded.lora = *std::move(read);
  return loaded;
}

std::vector<LoraCase> lora_cases() {
  using inference::TensorType;
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
      {"separate projections and biases",
       {.architecture = "qwen2", .hidden = 96, .heads = 3, .kv_heads = 1, .ffn = 160},
       {{{.rank = 8}}}},
      {"on quantized weights",
       {.hidden = 128, .ffn = 192, .type = TensorType::kQ4_0},
       {{{.rank = 16, .type = TensorType::kF16}, 0.8F}}},
  };
}

double lora_error(const MakeExecutor& make_executor,
                  const GgufWriter& model,
                  const std::vector<LoraUse>& uses) {
  constexpr std::uint32_t kTokens = 48;
  const LoadedModel base = load_gguf(model);
  GgufWriter merged = model;
  std::vector<LoadedLora> loras;
  inference::Adapters adapters;
  for (const LoraUse& use : uses) {
    const GgufWriter lora = synthetic_lora(model, use.shape);
    merged = merge_lora(std::move(merged), lora, use.scale);
    adapters.push_back({loras.emplace_back(load_lora(lora, *base.model)).lora, use.scale});
  }
  const auto tokens = random_tokens(kTokens, base.reference->n_vocabulary(), 77);
  const auto expected = load_gguf(merged).reference->logits(tokens, kTokens);
  const auto executor = make_executor(base.model);
  if (const auto set = executor->set_adapters(adapters); !set) {
    throw std::runtime_error(set.error().message);
  }
  // A prompt and, at its end, single tokens.
  const std::size_t n_prompt = kTokens - 5;
  auto sequence = executor->new_sequence({.max_tokens = kTokens});
  std::vector<float> logits(std::size_t{kTokens} * base.reference->n_vocabulary());
  for (std::size_t at = 0; sequence && at < kTokens; at += at == 0 ? n_prompt : 1) {
    const std::size_t n = at == 0 ? n_prompt : 1;
    const auto done =
        executor->forward(*sequence,
                          std::span(tokens).subspan(at, n),
                          inference::LogitsWanted::kAll,
                          std::span(logits).subspan(at * base.reference->n_vocabulary(),
                                                    n * base.reference->n_vocabulary()));
    if (!done) throw std::runtime_error(done.error().message);
  }
  return logits_error(logits, expected);
}

}  // namespace kinglet::test
