#include "tests/fuzz/gguf_fuzz.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "inference/backend.h"
#include "inference/gguf.h"
#include "inference/model.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/gguf_mutations.h"
#include "tests/fuzz/tokenizer_fuzz.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {
namespace {

using inference::Gguf;
using inference::TensorInfo;

void use_values(const Gguf& gguf) {
  for (const char* key : {"general.name", "phi3.block_count", "tokenizer.ggml.tokens"}) {
    (void)gguf.get<std::string_view>(key);
    (void)gguf.get<std::uint32_t>(key);
    (void)gguf.get<double>(key);
    (void)gguf.get<bool>(key);
    (void)gguf.get_array<std::string_view>(key);
    (void)gguf.get_array<std::int32_t>(key);
    (void)gguf.get_array<float>(key);
  }
}

void use_tensor(const Gguf& gguf, const TensorInfo& tensor) {
  require(gguf.find_tensor(tensor.name) == &tensor, "a tensor is found by its name");
  const auto& format = tensor.format();
  require(tensor.data.size() == format.bytes_of(tensor.n_elements()).value(),
          "a tensor has the bytes of its shape");
  // The last row: the end is where a wrong size shows.
  const std::size_t row_bytes = format.bytes_of(tensor.shape[0]).value();
  std::vector<float> row(tensor.shape[0]);
  format.dequantize(tensor.data.last(row_bytes), row);
}

void use_vocabulary_of(const Gguf& gguf) {
  const auto vocabulary = inference::vocabulary_from_gguf(gguf);
  if (!vocabulary) {
    require(vocabulary.error().message.find(gguf.name()) != std::string::npos,
            "a refused vocabulary names the file");
    return;
  }
  use_vocabulary(*vocabulary, "int main() {\n  return \u2581\xff</s><|fim_pre|>;\n}");
}

/// A model that is accepted keeps its promises to the backends, and computes or says why not.
void use_model(Gguf&& gguf) {
  const std::string name = gguf.name();
  const auto model = inference::Model::from_gguf(std::move(gguf));
  if (!model) {
    require(model.error().message.find(name) == 0, "a refused model names the file");
    return;
  }
  const auto& h = (*model)->hyper_parameters();
  for (std::size_t role = 0; role < inference::kRoleCount; ++role) {
    for (std::uint32_t layer = 0; layer < h.n_layers; ++layer) {
      const auto* weight = (*model)->weight(static_cast<inference::Role>(role), layer);
      if (weight == nullptr) continue;
      require(weight->data.size() == weight->n_rows * weight->row_bytes(),
              "a weight has the bytes of its rows");
      require(weight->format->bytes_of(weight->n_columns) == weight->row_bytes(),
              "a row has the bytes of its format");
    }
  }
  const auto* cpu = inference::find_backend("cpu");
  const auto executor = cpu->create(*model, {.n_kv_tokens = 32, .chunk_tokens = 2, .n_threads = 1});
  if (!executor) {
    require(!executor.error().message.empty(), "a refused executor says why");
    return;
  }
  auto sequence = (*executor)->new_sequence({.max_tokens = 3});
  if (!sequence) return;
  const std::vector<inference::TokenId> tokens = {0, 0, 0};
  std::vector<float> logits(h.n_vocabulary);
  require(
      (*executor)->forward(*sequence, tokens, inference::LogitsWanted::kLast, logits).has_value(),
      "a model that was loaded computes");
}

SyntheticModel small_model(std::string architecture) {
  SyntheticModel model;
  model.architecture = std::move(architecture);
  model.hidden = 32;
  model.layers = 1;
  model.heads = 2;
  model.kv_heads = 1;
  model.ffn = 32;
  model.vocab = kMinSyntheticVocab + 15;
  model.context = 64;
  model.original_context = 16;
  model.type = inference::TensorType::kQ4_0;
  model.embedding_type = inference::TensorType::kQ8_0;
  return model;
}

}  // namespace

bool use_gguf(std::span<const std::byte> bytes) {
  const auto gguf = Gguf::parse(bytes, "fuzzed.gguf");
  if (!gguf) {
    require(gguf.error().message.find("fuzzed.gguf") == 0, "a refusal names the file");
    return false;
  }
  use_values(*gguf);
  const TensorInfo* before = nullptr;
  for (const TensorInfo& tensor : gguf->tensors()) {
    use_tensor(*gguf, tensor);
    before = &tensor;
  }
  require(before == nullptr || gguf->data_offset() < gguf->n_bytes(),
          "tensors lie behind the header");
  use_vocabulary_of(*gguf);
  const auto finite = gguf->check_finite();
  require(finite || finite.error().message.find("fuzzed.gguf: tensor '") == 0,
          "what is not finite is named");
  use_model(Gguf::parse(bytes, "fuzzed.gguf").value());
  return true;
}

std::vector<GgufWriter> good_ggufs() {
  std::vector<GgufWriter> files;
  for (const auto* architecture : inference::all_architectures()) {
    files.push_back(synthetic_gguf(small_model(std::string(architecture->name))));
  }
  // A vocabulary of the other kind, alone.
  GgufWriter& file = files.emplace_back();
  file.put_string("general.architecture", "qwen2");
  file.put_string("tokenizer.ggml.model", "gpt2");
  file.put_string("tokenizer.ggml.pre", "qwen2");
  const std::vector<std::string> tokens = {
      "a", "b", "c", "\u0120", "ab", "\u0120ab", "abc", "<|endoftext|>", "<|fim_prefix|>", "//"};
  file.put_strings("tokenizer.ggml.tokens", tokens);
  const std::vector<std::int32_t> kinds = {1, 1, 1, 1, 1, 1, 1, 3, 3, 4};
  file.put_array<std::int32_t>("tokenizer.ggml.token_type", kinds);
  const std::vector<std::string> merges = {"a b", "\u0120 ab", "ab c"};
  file.put_strings("tokenizer.ggml.merges", merges);
  file.put<std::uint32_t>("tokenizer.ggml.eos_token_id", 7);
  return files;
}

Bytes good_gguf() {
  return synthetic_gguf(small_model("phi3")).bytes();
}

extern const FuzzTarget kGgufFuzz;
const FuzzTarget kGgufFuzz = {
    .name = "gguf",
    .use = use_gguf,
    .good =
        [](std::uint64_t seed) {
          static const std::vector<GgufWriter> kGood = good_ggufs();
          return kGood[seed % kGood.size()].bytes();
        },
    .spoil = spoil_gguf,
    // What a model may take is not the parser's: a declared context has its scratch memory.
    .most_bytes = std::size_t{256} << 20,
    .bytes_per_byte = 4,
};

}  // namespace kinglet::test
