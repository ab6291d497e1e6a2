#include "inference/model.h"

#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "inference/tokenizer/vocabulary.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

using inference::Gguf;
using inference::Model;
using inference::Role;
using inference::RopeFactorSet;
using inference::TensorType;

namespace {

/// The model's error, or "".
std::string error_of(const GgufWriter& writer, ErrorCode code) {
  const auto bytes = writer.bytes();
  auto gguf = Gguf::parse(bytes, "model.gguf");
  if (!gguf) return "not a GGUF: " + gguf.error().message;
  const auto model = Model::from_gguf(std::move(*gguf));
  if (model) return "";
  CHECK(model.error().code == code);
  return model.error().message;
}

template <class T>
GgufWriter with(std::string_view key, T value, SyntheticModel shape = {}) {
  GgufWriter writer = synthetic_gguf(shape);
  std::erase_if(writer.values, [&](const auto& other) { return other.key == key; });
  writer.put(std::string(key), value);
  return writer;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("inference/model") {
  TEST_CASE("a model knows its shape and finds its tensors") {
    const SyntheticModel shape{.hidden = 96, .layers = 3, .heads = 4, .kv_heads = 2, .ffn = 160};
    const auto bytes = synthetic_gguf(shape).bytes();
    auto gguf = Gguf::parse(bytes, "model.gguf");
    REQUIRE(gguf.has_value());
    const auto model = Model::from_gguf(std::move(*gguf));
    REQUIRE(model.has_value());
    const auto& h = (*model)->hyper_parameters();
    CHECK(h.n_layers == 3);
    CHECK(h.n_embedding == 96);
    CHECK(h.head_dim == 24);
    CHECK(h.n_kv_heads == 2);
    CHECK(h.n_vocabulary == shape.vocab);
    CHECK(h.sliding_window == 0);
    CHECK((*model)->name() == "synthetic-1");
    const auto& qkv = (*model)->required(Role::kAttentionQkv, 2);
    CHECK(qkv.name == "blk.2.attn_qkv.weight");
    CHECK(qkv.n_columns == 96);
    CHECK(qkv.n_rows == 192);
    CHECK(qkv.row_bytes() == 96 * 4);
    CHECK((*model)->weight(Role::kAttentionQkv, 3) == nullptr);
    CHECK((*model)->weight(Role::kRopeFactorsLong) == nullptr);
    CHECK((*model)->weight_bytes() == 4 * (*model)->n_parameters());
    CHECK((*model)->vocabulary()->size() == shape.vocab);
  }

  TEST_CASE("a tied model uses the embedding as output, counted once") {
    const auto parameters = [](bool tied) {
      const auto bytes = synthetic_gguf({.tied = tied}).bytes();
      auto gguf = Gguf::parse(bytes, "model.gguf");
      REQUIRE(gguf.has_value());
      const auto model = Model::from_gguf(std::move(*gguf));
      REQUIRE(model.has_value());
      CHECK((*model)->required(Role::kOutput).name ==
            (tied ? "token_embd.weight" : "output.weight"));
      return (*model)->n_parameters();
    };
    CHECK(parameters(false) - parameters(true) == 384 * 128);
  }

  TEST_CASE("long rope factors are for sequences that may pass the original context") {
    const auto bytes = synthetic_gguf({.context = 512, .original_context = 128}).bytes();
    auto gguf = Gguf::parse(bytes, "model.gguf");
    REQUIRE(gguf.has_value());
    const auto model = Model::from_gguf(std::move(*gguf));
    REQUIRE(model.has_value());
    CHECK((*model)->rope_factor_set(128) == RopeFactorSet::kShort);
    CHECK((*model)->rope_factor_set(129) == RopeFactorSet::kLong);
    CHECK((*model)->rope_spec(RopeFactorSet::kLong).factors.size() == 16);
    CHECK((*model)->rope_spec(RopeFactorSet::kLong).factors !=
          (*model)->rope_spec(RopeFactorSet::kShort).factors);
    CHECK((*model)->rope_spec(RopeFactorSet::kShort).attention_factor > 1.0);
  }

  TEST_CASE("what Kinglet cannot compute is refused by key") {
    GgufWriter other = synthetic_gguf({});
    other.remove_value("general.architecture");
    other.put_string("general.architecture", "mamba");
    const std::string unknown = error_of(other, ErrorCode::kUnsupported);
    CHECK(contains(
        unknown,
        "general.architecture is 'mamba'; Kinglet runs gemma, gemma2, granite, llama, phi3, "));
    CHECK(unknown.ends_with("starcoder2: get a model of one of them"));

    GgufWriter scaled = synthetic_gguf({});
    scaled.put_string("phi3.rope.scaling.type", "dynamic");
    CHECK(contains(
        error_of(scaled, ErrorCode::kUnsupported),
        "phi3.rope.scaling.type is 'dynamic'; Kinglet has 'none', 'linear', 'yarn', 'longrope'"));

    // A window that a Qwen file speaks of is not computed: it must not be passed over. Where an
    // architecture reads it, or no text is longer, it is welcome.
    const SyntheticModel qwen = {.architecture = "qwen2", .context = 512};
    CHECK(contains(
        error_of(with("qwen2.attention.sliding_window", 64U, qwen), ErrorCode::kUnsupported),
        "qwen2.attention.sliding_window is 64, which Kinglet does not compute for "
        "qwen2; get a model without a window"));
    CHECK(error_of(with("qwen2.attention.sliding_window", 0U, qwen), ErrorCode::kUnsupported) ==
          "");
    CHECK(error_of(with("qwen2.attention.sliding_window", 512U, qwen), ErrorCode::kUnsupported) ==
          "");
    CHECK(error_of(with("phi3.attention.sliding_window", 64U), ErrorCode::kUnsupported) == "");
    CHECK(contains(error_of(with("qwen2.attention.causal", false, qwen), ErrorCode::kUnsupported),
                   "qwen2.attention.causal is false"));
    CHECK(contains(error_of(with("phi3.final_logit_softcapping", 30.0F), ErrorCode::kUnsupported),
                   "phi3.final_logit_softcapping is 30"));

    GgufWriter empty = synthetic_gguf({});
    empty.tensors.clear();
    CHECK(contains(error_of(empty, ErrorCode::kUnsupported), "holds no weights"));

    CHECK(contains(error_of(with("phi3.expert_count", 8U), ErrorCode::kUnsupported),
                   "phi3.expert_count is 8"));
    CHECK(contains(error_of(with("phi3.attention.value_length", 16U), ErrorCode::kUnsupported),
                   "phi3.attention.value_length is 16"));
  }

  TEST_CASE("a tensor nobody asked for is refused: the text would be wrong without it") {
    GgufWriter writer = synthetic_gguf({});
    writer.add_floats(
        "blk.0.attn_qkv.bias", TensorType::kF32, {256}, std::vector<float>(256, 0.0F));
    CHECK(contains(error_of(writer, ErrorCode::kUnsupported),
                   "tensor 'blk.0.attn_qkv.bias' is not part of the architecture phi3"));
  }

  TEST_CASE("each architecture refuses the tensors that only others have") {
    const struct {
      const char* architecture;
      const char* tensor;
      std::uint64_t n;
    } cases[] = {
        {"qwen3", "blk.0.attn_q.bias", 128},
        {"llama", "blk.1.attn_q_norm.weight", 32},
        {"qwen2", "blk.0.attn_output.bias", 128},
        {"gemma", "blk.0.post_ffw_norm.weight", 128},
        {"gemma2", "output_norm.bias", 128},
        {"starcoder2", "blk.0.ffn_gate.weight", 128},
        {"granite", "rope_factors_long.weight", 16},
    };
    for (const auto& c : cases) {
      CAPTURE(c.architecture);
      GgufWriter writer = synthetic_gguf({.architecture = c.architecture});
      writer.add_floats(c.tensor, TensorType::kF32, {c.n}, std::vector<float>(c.n, 1.0F));
      CHECK(contains(error_of(writer, ErrorCode::kUnsupported),
                     "tensor '" + std::string(c.tensor) + "' is not part of the architecture " +
                         c.architecture));
    }
  }

  TEST_CASE("a bias that an architecture needs is missed by name, an optional one is not") {
    const auto without = [](SyntheticModel shape, std::string_view name) {
      GgufWriter writer = synthetic_gguf(shape);
      const auto n =
          std::erase_if(writer.tensors, [&](const auto& tensor) { return tensor.name == name; });
      CHECK(n == 1);
      return error_of(writer, ErrorCode::kCorrupt);
    };
    CHECK(contains(without({.architecture = "qwen2"}, "blk.1.attn_k.bias"),
                   "tensor blk.1.attn_k.bias is missing"));
    CHECK(contains(without({.architecture = "starcoder2"}, "output_norm.bias"),
                   "tensor output_norm.bias is missing"));
    CHECK(without({.architecture = "llama", .optional_biases = true}, "blk.1.attn_k.bias").empty());
  }

  TEST_CASE("numbers that files leave out are those the models were made with") {
    const auto hyper_parameters = [](const GgufWriter& writer) {
      const auto bytes = writer.bytes();
      auto gguf = Gguf::parse(bytes, "model.gguf");
      REQUIRE(gguf.has_value());
      const auto model = Model::from_gguf(std::move(*gguf));
      REQUIRE(model.has_value());
      return (*model)->hyper_parameters();
    };
    GgufWriter gemma = synthetic_gguf({.architecture = "gemma2", .hidden = 144, .layers = 4});
    gemma.remove_value("gemma2.attn_logit_softcapping");
    gemma.remove_value("gemma2.final_logit_softcapping");
    const auto h = hyper_parameters(gemma);
    CHECK(h.attention_soft_cap == 50.0F);
    CHECK(h.final_soft_cap == 30.0F);
    CHECK(h.embedding_scale == 12.0F);
    CHECK(h.attention_scale == doctest::Approx(1 / 6.0));
    CHECK(window_of(h, 0) == 4096);
    CHECK(window_of(h, 1) == 0);
    CHECK(window_of(h, 2) == 4096);
    CHECK(window_of(h, 3) == 0);

    const auto starcoder = hyper_parameters(synthetic_gguf({.architecture = "starcoder2"}));
    CHECK(window_of(starcoder, 0) == 4096);
    CHECK(window_of(starcoder, 1) == 4096);
    GgufWriter whole = synthetic_gguf({.architecture = "starcoder2"});
    whole.put("starcoder2.attention.sliding_window", 0U);
    CHECK(hyper_parameters(whole).sliding_window == 0);

    const auto granite = hyper_parameters(synthetic_gguf({.architecture = "granite"}));
    CHECK(granite.logit_scale == 0.125F);  // the file has the divisor
  }

  TEST_CASE("old and new keys of linear rope scaling mean the same") {
    const auto factor_of = [](const GgufWriter& writer) {
      const auto bytes = writer.bytes();
      auto gguf = Gguf::parse(bytes, "model.gguf");
      REQUIRE(gguf.has_value());
      const auto model = Model::from_gguf(std::move(*gguf));
      REQUIRE(model.has_value());
      const auto factors = (*model)->rope_spec(RopeFactorSet::kShort).factors;
      return factors.empty() ? 1.0 : factors.at(5);
    };
    const SyntheticModel plain{.architecture = "llama"};
    CHECK(factor_of(synthetic_gguf(plain)) == 1.0);
    for (const char* key : {"llama.rope.scale_linear", "llama.rope.scaling.factor"}) {
      GgufWriter writer = synthetic_gguf(plain);
      writer.put(key, 4.0F);
      CHECK(factor_of(writer) == 4.0);
      writer.put_string("llama.rope.scaling.type", "none");
      CHECK(factor_of(writer) == 1.0);
    }
    GgufWriter none = synthetic_gguf(plain);
    none.put("llama.rope.scaling.factor", 0.0F);  // so some converters write it
    CHECK(factor_of(none) == 1.0);
  }

  TEST_CASE("a missing key or tensor is named") {
    for (const char* key : {"phi3.block_count",
                            "phi3.embedding_length",
                            "phi3.feed_forward_length",
                            "phi3.context_length",
                            "phi3.attention.head_count",
                            "phi3.attention.layer_norm_rms_epsilon"}) {
      GgufWriter writer = synthetic_gguf({});
      writer.remove_value(key);
      CHECK(contains(error_of(writer, ErrorCode::kCorrupt), key));
    }
    for (const char* name : {"token_embd.weight",
                             "output_norm.weight",
                             "blk.1.attn_norm.weight",
                             "blk.0.ffn_down.weight"}) {
      GgufWriter writer = synthetic_gguf({});
      std::erase_if(writer.tensors, [&](const auto& tensor) { return tensor.name == name; });
      const std::string message = error_of(writer, ErrorCode::kCorrupt);
      CHECK(contains(message, "model.gguf: "));
      CHECK(contains(message, name));
    }
    GgufWriter writer = synthetic_gguf({.context = 512, .original_context = 128});
    std::erase_if(writer.tensors,
                  [](const auto& tensor) { return tensor.name == "rope_factors_short.weight"; });
    CHECK(contains(error_of(writer, ErrorCode::kCorrupt), "rope_factors_short.weight is missing"));
  }

  TEST_CASE("hyperparameters that contradict the tensors or each other are refused") {
    const struct {
      const char* key;
      std::uint32_t value;
      const char* message;
    } cases[] = {
        {"phi3.embedding_length", 256, "tensor token_embd.weight is 128 x 384"},
        {"phi3.feed_forward_length", 128, "tensor blk.0.ffn_up.weight is 128 x 512"},
        {"phi3.attention.head_count_kv", 4, "tensor blk.0.attn_qkv.weight"},
        {"phi3.attention.head_count_kv", 3, "4 attention heads cannot share 3 KV heads (key "},
        {"phi3.attention.head_count", 3, "cannot be divided among 3 heads (key "},
        {"phi3.attention.head_count", 0, "attention heads: 0 is not within 1 to 1024 (key "},
        {"phi3.block_count", 3, "tensor blk.2.attn_norm.weight is missing"},
        {"phi3.block_count", 1, "tensor 'blk.1.attn_norm.weight' is not part of"},
        {"phi3.block_count", 0, "layers: 0 is not within 1 to 1024 (key "},
        {"phi3.block_count", 4'000'000'000U, "layers: 4000000000"},
        {"phi3.context_length", 0, "context length: 0 is not within 1 to 16777216 (key "},
        {"phi3.attention.head_count", 4'294'967'295U, "heads"},
        {"phi3.rope.dimension_count", 31, "31 rope dimensions"},
        {"phi3.rope.dimension_count", 34, "34 rope dimensions in heads of 32 (key "},
        {"phi3.attention.key_length", 4096, "tensor blk.0.attn_qkv.weight"},
    };
    for (const auto& c : cases) {
      const std::string key = c.key;
      CAPTURE(key);
      CAPTURE(c.value);
      const bool unknown = contains(c.message, "not part of");
      const std::string message =
          error_of(with(c.key, c.value), unknown ? ErrorCode::kUnsupported : ErrorCode::kCorrupt);
      CAPTURE(message);
      CHECK(contains(message, c.message));
      if (contains(c.message, "(key ")) CHECK(contains(message, "(key '" + key + "')"));
    }
  }

  TEST_CASE("what a refusal quotes from the file is short and fit for a terminal") {
    const std::string hostile = "\x1b]0;title\a\nkinglet: all is well" + std::string(1 << 20, 'x');
    for (const char* key : {"general.architecture", "phi3.rope.scaling.type"}) {
      GgufWriter writer = synthetic_gguf({});
      std::erase_if(writer.values, [&](const auto& other) { return other.key == key; });
      writer.put_string(key, hostile);
      const std::string message = error_of(writer, ErrorCode::kUnsupported);
      CHECK(contains(message, key));
      CHECK(message.size() < 400);
      CHECK(message.find_first_of("\x1b\a\n") == std::string::npos);
    }
    GgufWriter writer = synthetic_gguf({});
    writer.add_floats("blk.0\x1b[31m", TensorType::kF32, {1}, std::vector<float>(1, 0.0F));
    CHECK(contains(error_of(writer, ErrorCode::kUnsupported), "tensor 'blk.0\\x1b[31m'"));
  }

  TEST_CASE("numbers that would make every logit NaN are refused") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const float value : {nan, -1.0F}) {
      CHECK(contains(
          error_of(with("phi3.attention.layer_norm_rms_epsilon", value), ErrorCode::kCorrupt),
          "norm epsilon"));
      CHECK(contains(error_of(with("phi3.rope.freq_base", value), ErrorCode::kCorrupt),
                     "rope frequency base"));
      CHECK(contains(error_of(with("phi3.rope.scaling.attn_factor", value), ErrorCode::kCorrupt),
                     "rope attention factor"));
    }
    const struct {
      const char* architecture;
      const char* key;
      const char* message;
    } floats[] = {
        {"llama", "llama.rope.scaling.factor", "rope scaling factor"},
        {"gemma2", "gemma2.attn_logit_softcapping", "attention soft cap"},
        {"gemma2", "gemma2.final_logit_softcapping", "final soft cap"},
        {"granite", "granite.logit_scale", "logit scale"},
        {"granite", "granite.embedding_scale", "embedding scale"},
        {"granite", "granite.residual_scale", "residual scale"},
        {"granite", "granite.attention.scale", "attention scale"},
        {"starcoder2", "starcoder2.attention.layer_norm_epsilon", "norm epsilon"},
        {"qwen2", "qwen2.rope.scaling.yarn_beta_fast", "rope YaRN beta_fast"},
    };
    for (const auto& c : floats) {
      for (const float value : {nan, -1.0F, std::numeric_limits<float>::infinity()}) {
        CAPTURE(c.key);
        CAPTURE(value);
        if (value > 0 && std::string_view(c.key) == "granite.logit_scale") continue;
        const auto message =
            error_of(with(c.key, value, {.architecture = c.architecture}), ErrorCode::kCorrupt);
        CHECK(contains(message, c.message));
        CHECK(contains(message, std::string("(key '") + c.key + "')"));
      }
    }
    CHECK(contains(error_of(with("granite.logit_scale", 0.0F, {.architecture = "granite"}),
                            ErrorCode::kCorrupt),
                   "logit scale"));
    GgufWriter writer = synthetic_gguf({.context = 512, .original_context = 128});
    std::erase_if(writer.tensors,
                  [](const auto& tensor) { return tensor.name == "rope_factors_long.weight"; });
    writer.add_floats(
        "rope_factors_long.weight", TensorType::kF32, {16}, std::vector<float>(16, 0.0F));
    CHECK(contains(error_of(writer, ErrorCode::kCorrupt), "rope_factors_long.weight"));
  }

  TEST_CASE("a tokenizer with more tokens than the embedding is refused") {
    GgufWriter writer = synthetic_gguf({.vocab = 400});
    const GgufWriter small = synthetic_gguf({.vocab = 384});
    for (const char* name : {"token_embd.weight", "output.weight"}) {
      std::erase_if(writer.tensors, [&](const auto& tensor) { return tensor.name == name; });
      for (const auto& tensor : small.tensors) {
        if (tensor.name == name) writer.tensors.push_back(tensor);
      }
    }
    CHECK(contains(error_of(writer, ErrorCode::kCorrupt),
                   "the tokenizer has 400 tokens, the token embedding 384 rows"));
  }
}

}  // namespace kinglet::test
