#include "inference/lora.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/engine.h"
#include "inference/gguf.h"
#include "tests/inference/conformance.h"
#include "tests/inference/sealed_bytes.h"
#include "tests/inference/synthetic_lora.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using inference::Adapters;
using inference::KvFormat;
using inference::LogitsWanted;
using inference::Lora;
using inference::TensorType;
using inference::TokenId;

namespace {

constexpr SyntheticModel kSmall = {
    .hidden = 64, .layers = 2, .ffn = 96, .vocab = 300, .context = 128};

/// What the reader says of an adapter for kSmall once `damage` is done to it; empty: it is fine.
std::string refusal(const std::function<void(GgufWriter&)>& damage) {
  const GgufWriter model_file = synthetic_gguf(kSmall);
  const LoadedModel model = load_gguf(model_file);
  GgufWriter lora = synthetic_lora(model_file, {});
  damage(lora);
  const Bytes bytes = lora.bytes();
  auto gguf = inference::Gguf::parse(bytes, "lora.gguf");
  REQUIRE(gguf.has_value());
  const auto read = Lora::from_gguf(*std::move(gguf), *model.model);
  return read ? "" : read.error().message;
}

}  // namespace

TEST_SUITE("inference/lora") {
  TEST_CASE("an adapter is found by the tensors that operations name") {
    const GgufWriter model_file = synthetic_gguf(kSmall);
    const LoadedModel model = load_gguf(model_file);
    const LoadedLora loaded = load_lora(
        synthetic_lora(model_file, {.rank = 4, .alpha = 2, .targets = {"blk.1.ffn_down.weight"}}),
        *model.model);
    const inference::LoraPair* pair = loaded.lora->pair(inference::Role::kFeedForwardDown, 1);
    REQUIRE(pair != nullptr);
    CHECK(pair->rank() == 4);
    CHECK(pair->scale == 0.5F);
    CHECK(pair->a.n_columns == 96);
    CHECK(pair->b.n_rows == 64);
    CHECK(loaded.lora->max_rank() == 4);
    CHECK(loaded.lora->pair(inference::Role::kFeedForwardDown, 0) == nullptr);
    CHECK(loaded.lora->pair(inference::Role::kFeedForwardDown, 2) == nullptr);
    CHECK(loaded.lora->pair(inference::Role::kOutput, 0) == nullptr);
  }

  TEST_CASE("an adapter that does not fit is refused, and the key or tensor named") {
    CHECK(refusal([](GgufWriter&) {}).empty());
    CHECK(refusal([](GgufWriter& file) { file.remove_value("general.type"); }) ==
          "lora.gguf: not an adapter: general.type is missing");
    CHECK(refusal([](GgufWriter& file) {
            file.remove_value("general.type");
            file.put_string("general.type", "model");
          }) == "lora.gguf: not an adapter: general.type is 'model'");
    CHECK(refusal([](GgufWriter& file) {
            file.remove_value("adapter.type");
            file.put_string("adapter.type", "dora");
          }) == "lora.gguf: adapter.type is 'dora'; Kinglet has 'lora'");
    CHECK(refusal([](GgufWriter& file) {
            file.put<std::uint32_t>("adapter.alora.invocation_tokens", 1);
          }) == "lora.gguf: it has adapter.alora.invocation_tokens: Kinglet has no activated LoRA");
    CHECK(refusal([](GgufWriter& file) {
            file.remove_value("general.architecture");
            file.put_string("general.architecture", "mamba");
          }) ==
          "lora.gguf: general.architecture is 'mamba'; synthetic-1 is phi3: it is for another "
          "model");
    CHECK(refusal([](GgufWriter& file) {
            file.remove_value("adapter.lora.alpha");
            file.put("adapter.lora.alpha", std::numeric_limits<float>::infinity());
          }) == "lora.gguf: adapter.lora.alpha is no usable number");
    CHECK(refusal([](GgufWriter& file) {
            file.tensor("output.weight.lora_a").name = "norm.bias";
          }) == "lora.gguf: tensor 'norm.bias' is neither a .lora_a nor a .lora_b");
    CHECK(refusal([](GgufWriter& file) {
            std::erase_if(file.tensors, [](const GgufWriter::Tensor& tensor) {
              return tensor.name == "output.weight.lora_b";
            });
          }) == "lora.gguf: 'output.weight' has no .lora_b; download the file again");
    CHECK(refusal([](GgufWriter& file) {
            file.tensor("output.weight.lora_a").name = "blk.9.ffn_up.weight.lora_a";
            file.tensor("output.weight.lora_b").name = "blk.9.ffn_up.weight.lora_b";
          }) ==
          "lora.gguf: it changes 'blk.9.ffn_up.weight', which synthetic-1 does not multiply by: "
          "it is for another model");
    CHECK(refusal([](GgufWriter& file) {
            std::swap(file.tensor("blk.0.ffn_down.weight.lora_b").name,
                      file.tensor("blk.1.ffn_up.weight.lora_b").name);
          }) ==
          "lora.gguf: 'blk.0.ffn_down.weight' is 96 x 64 in synthetic-1; its lora_a is 96 x 8, "
          "its lora_b 8 x 192: it is for another model");
    CHECK(refusal([](GgufWriter& file) { file.tensors.clear(); }) ==
          "lora.gguf: it holds no tensors");
  }

  TEST_CASE("a change of an embedding that is the output, too, is refused") {
    SyntheticModel shape = kSmall;
    shape.tied = true;
    const GgufWriter model_file = synthetic_gguf(shape);
    const LoadedModel model = load_gguf(model_file);
    CHECK_THROWS_WITH_AS(
        load_lora(synthetic_lora(model_file, {.targets = {"token_embd.weight"}}), *model.model),
        "lora.gguf: it changes 'token_embd.weight', which is the output matrix of synthetic-1, "
        "too: merge it into the model instead",
        std::runtime_error);
  }

  TEST_CASE("adapters of another model, and scales that are none, are not put on") {
    const GgufWriter model_file = synthetic_gguf(kSmall);
    const LoadedModel model = load_gguf(model_file);
    const LoadedModel twin = load_gguf(model_file);
    const LoadedLora lora = load_lora(synthetic_lora(model_file, {}), *twin.model);
    const auto executor = make_executor("cpu", model, {.n_kv_tokens = 64});
    const auto wrong = executor->set_adapters({{lora.lora, 1}});
    REQUIRE(!wrong);
    CHECK(wrong.error().message ==
          "adapter lora.gguf was loaded for another model than synthetic-1");
    const LoadedLora right = load_lora(synthetic_lora(model_file, {}), *model.model);
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    REQUIRE(!executor->set_adapters({{right.lora, nan}}));
    REQUIRE(!executor->set_adapters({{right.lora, 1e9F}}));
    CHECK(executor->adapters().empty());
  }

  TEST_CASE("adapters are put on and taken off while the model runs") {
    const GgufWriter model_file = synthetic_gguf(kSmall);
    const LoadedModel model = load_gguf(model_file);
    const LoadedLora a = load_lora(synthetic_lora(model_file, {.seed = 1}), *model.model);
    const LoadedLora b = load_lora(synthetic_lora(model_file, {.seed = 2}), *model.model);
    const auto executor =
        make_executor("cpu", model, {.kv_format = KvFormat::kF32, .n_kv_tokens = 256});
    const auto tokens = random_tokens(24, 300, 5);
    const auto plain = all_logits(*executor, tokens, 64);
    REQUIRE(executor->set_adapters({{a.lora, 1}}));
    const auto with_a = all_logits(*executor, tokens, 64);
    CHECK(with_a != plain);
    REQUIRE(executor->set_adapters({{a.lora, 1}, {b.lora, 0.5F}}));
    CHECK(all_logits(*executor, tokens, 64) != with_a);
    REQUIRE(executor->set_adapters({{a.lora, 1}, {b.lora, 0}}));
    CHECK(all_logits(*executor, tokens, 64) == with_a);
    REQUIRE(executor->set_adapters({}));
    CHECK(all_logits(*executor, tokens, 64) == plain);
  }

  TEST_CASE("switching reads and writes no byte of the base model") {
    const GgufWriter model_file = synthetic_gguf(kSmall);
    SealedBytes base(model_file.bytes());
    const auto model =
        *inference::Model::from_gguf(*inference::Gguf::parse(base.bytes(), "model.gguf"));
    const LoadedLora a = load_lora(synthetic_lora(model_file, {.seed = 1}), *model);
    const LoadedLora b = load_lora(synthetic_lora(model_file, {.seed = 2, .rank = 20}), *model);
    const auto executor = *inference::find_backend("cpu")->create(
        model, {.kv_format = KvFormat::kF32, .n_kv_tokens = 256});
    const auto tokens = random_tokens(24, 300, 5);
    const auto switched_to = [&](const Adapters& adapters) {
      base.seal();
      const bool is_set = executor->set_adapters(adapters).has_value();
      base.open();
      REQUIRE(is_set);
      return all_logits(*executor, tokens, 64);
    };
    const auto plain = switched_to({});
    const auto with_a = switched_to({{a.lora, 1}});
    CHECK(with_a != plain);
    CHECK(switched_to({{b.lora, 0.5F}}) != with_a);
    CHECK(switched_to({{a.lora, 1}}) == with_a);
    CHECK(switched_to({}) == plain);
  }

  TEST_CASE("a sequence is gone on with only by the adapters that computed it") {
    const GgufWriter model_file = synthetic_gguf(kSmall);
    const LoadedModel model = load_gguf(model_file);
    const LoadedLora a = load_lora(synthetic_lora(model_file, {.seed = 1}), *model.model);
    const auto executor = make_executor("cpu", model, {.n_kv_tokens = 256});
    auto sequence = *executor->new_sequence({.max_tokens = 64});
    const auto tokens = random_tokens(8, 300, 5);
    REQUIRE(executor->forward(sequence, tokens, LogitsWanted::kNone, {}));
    REQUIRE(executor->set_adapters({{a.lora, 1}}));
    auto fork = executor->fork(sequence, 4);
    CHECK(!executor->can_continue(sequence));
    CHECK(!executor->can_continue(fork));
    const auto refused = executor->forward(fork, tokens, LogitsWanted::kNone, {});
    REQUIRE(!refused);
    CHECK(refused.error().message == "the sequence was computed with other adapters");
    CHECK(fork.n_tokens() == 4);
    executor->truncate(fork, 0);
    CHECK(executor->forward(fork, tokens, LogitsWanted::kNone, {}).has_value());
    REQUIRE(executor->set_adapters({}));
    CHECK(!executor->can_continue(fork));
    CHECK(executor->forward(sequence, tokens, LogitsWanted::kNone, {}).has_value());
  }

  TEST_CASE("the engine reuses what the same adapters computed, and nothing else") {
    const TemporaryFolder folder;
    const GgufWriter model_file = synthetic_gguf(kSmall);
    write_file(folder / "model.gguf", model_file.bytes());
    write_file(folder / "lora.gguf", synthetic_lora(model_file, {}).bytes());
    const auto engine = *inference::Engine::load({.model_path = folder / "model.gguf",
                                                  .backend = inference::BackendChoice::kCpu,
                                                  .kv_format = KvFormat::kF32});
    const auto lora = *Lora::load(folder / "lora.gguf", engine->model());
    inference::GenerateRequest request;
    request.prompt = random_tokens(40, 300, 3);
    request.max_tokens = 8;
    const auto generate = [&](const Adapters& adapters, std::uint32_t n_reused) {
      REQUIRE(engine->set_adapters(adapters));
      const auto result = engine->generate(request);
      REQUIRE(result.has_value());
      CHECK(result->stats.n_reused == n_reused);
      return result->tokens;
    };
    const auto plain = generate({}, 0);
    const auto adapted = generate({{lora, 1}}, 0);
    CHECK(adapted != plain);
    CHECK(generate({{lora, 0.25F}}, 0) != adapted);
    CHECK(generate({}, 39) == plain);
    CHECK(generate({{lora, 1}}, 39) == adapted);
  }
}

}  // namespace kinglet::test
