#include "tests/inference/synthetic_gguf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <set>
#include <stdexcept>
#include <string_view>

namespace kinglet::test {
namespace {

using inference::TensorType;

/// splitmix64 and Box-Muller: the standard library's distributions differ between implementations.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  float normal() {
    const double u = (static_cast<double>(next() >> 11) + 1) * 0x1p-53;  // (0, 1]
    const double v = static_cast<double>(next() >> 11) * 0x1p-53;
    return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v));
  }

 private:
  std::uint64_t state_;
};

// Words whose every beginning is a token, so that merging character by character reaches them.
constexpr std::array<std::string_view, 40> kWords = {
    "return", "int",    "void",  "const", "auto",     "self",  "def",  "import", "from",  "class",
    "std",    "string", "value", "size",  "for",      "if",    "else", "while",  "true",  "false",
    "null",   "new",    "this",  "the",   "template", "begin", "end",  "push",   "index", "name",
    "in",     "er",     "re",    "on",    "()",       "();",   "->",   "::",     "==",    "//"};

constexpr std::string_view kSpace = "\u2581";

struct Pieces {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> kinds;  // as GGUF numbers them

  void add(std::string text, float score, std::int32_t kind) {
    texts.push_back(std::move(text));
    scores.push_back(score);
    kinds.push_back(kind);
  }
};

/// Normal pieces in the order of their rank: characters, runs of spaces, beginnings of words, then
/// as many unreachable fillers as the vocabulary still needs.
std::vector<std::string> normal_pieces(std::size_t n) {
  std::vector<std::string> pieces;
  std::set<std::string> seen;
  const auto add = [&](const std::string& piece) {
    if (pieces.size() < n && seen.insert(piece).second) pieces.push_back(piece);
  };
  add(std::string(kSpace));
  for (char c = '!'; c <= '~'; ++c)
    add(std::string(1, c));
  std::string run(kSpace);
  for (int length = 2; length <= 8; ++length)
    add(run += kSpace);
  for (const std::string& prefix : {std::string(kSpace), std::string()}) {
    for (const std::string_view word : kWords) {
      for (std::size_t i = 1; i <= word.size(); ++i)
        add(prefix + std::string(word.substr(0, i)));
    }
  }
  for (std::size_t i = 0; pieces.size() < n; ++i)
    add("filler\u00e9" + std::to_string(i));
  return pieces;
}

}  // namespace

void put_synthetic_vocabulary(GgufWriter& writer, const SyntheticModel& model) {
  constexpr std::int32_t kNormal = 1;
  constexpr std::int32_t kUnknown = 2;
  constexpr std::int32_t kControl = 3;
  constexpr std::int32_t kByte = 6;
  constexpr std::array<std::string_view, 6> kFim = {"pre", "suf", "mid", "pad", "rep", "sep"};
  static constexpr char kHex[] = "0123456789ABCDEF";

  Pieces pieces;
  pieces.add("<unk>", 0, kUnknown);
  pieces.add("<s>", 0, kControl);
  pieces.add("</s>", 0, kControl);
  for (unsigned byte = 0; byte < 256; ++byte) {
    pieces.add(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">", 0, kByte);
  }
  for (const std::string_view fim : kFim) {
    const auto id = static_cast<std::uint32_t>(pieces.texts.size());
    pieces.add("<|fim_" + std::string(fim) + "|>", 0, kControl);
    writer.put("tokenizer.ggml.fim_" + std::string(fim) + "_token_id", id);
  }
  float score = 0;
  for (const std::string& piece : normal_pieces(model.vocab - kMinSyntheticVocab)) {
    pieces.add(piece, --score, kNormal);
  }
  writer.put_string("tokenizer.ggml.model", "llama");
  writer.put_string("tokenizer.ggml.pre", "default");
  writer.put_strings("tokenizer.ggml.tokens", pieces.texts);
  writer.put_array<float>("tokenizer.ggml.scores", pieces.scores);
  writer.put_array<std::int32_t>("tokenizer.ggml.token_type", pieces.kinds);
  writer.put<std::uint32_t>("tokenizer.ggml.unknown_token_id", 0);
  writer.put<std::uint32_t>("tokenizer.ggml.bos_token_id", 1);
  writer.put<std::uint32_t>("tokenizer.ggml.eos_token_id", 2);
  writer.put("tokenizer.ggml.add_bos_token", model.add_bos);
  writer.put("tokenizer.ggml.add_eos_token", false);
  writer.put("tokenizer.ggml.add_space_prefix", model.add_space_prefix);
}

namespace {

struct Sizes {
  explicit Sizes(const SyntheticModel& model)
      : head_dim(model.head_dim != 0 ? model.head_dim : model.hidden / model.heads),
        rope_dim(model.rope_dim != 0 ? model.rope_dim : head_dim),
        original(model.original_context != 0 ? model.original_context : model.context),
        scaling(model.rope_scaling),
        stretch(static_cast<double>(model.context) / original),
        query(std::uint64_t{model.heads} * head_dim),
        key_value(std::uint64_t{model.kv_heads} * head_dim) {
    if (scaling.empty()) scaling = model.architecture == "phi3" ? "longrope" : "linear";
    if (stretch == 1) scaling = "none";
    if (model.vocab < kMinSyntheticVocab || head_dim == 0 || head_dim % 2 != 0 ||
        rope_dim % 2 != 0 || rope_dim > head_dim || model.heads % model.kv_heads != 0 ||
        original > model.context) {
      throw std::invalid_argument("a synthetic model of an impossible shape");
    }
  }

  std::uint32_t head_dim;
  std::uint32_t rope_dim;
  std::uint32_t original;
  std::string scaling;
  double stretch;
  std::uint64_t query;  // rows of all heads
  std::uint64_t key_value;
};

std::vector<float> longrope_factors(const Sizes& sizes, bool is_long) {
  std::vector<float> factors;
  const std::uint32_t n = sizes.rope_dim / 2;
  for (std::uint32_t i = 0; i < n; ++i) {
    const double x = n > 1 ? static_cast<double>(i) / (n - 1) : 0;
    const double factor = is_long ? 1 + x * x * (2 * sizes.stretch - 1) : 1 + 0.15 * x;
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

/// As the converter of Llama 3.1 makes them: fast pairs stay, slow ones are stretched.
std::vector<float> llama3_factors(const SyntheticModel& model, const Sizes& sizes) {
  constexpr double kLow = 1;
  constexpr double kHigh = 4;
  std::vector<float> factors;
  for (std::uint32_t i = 0; i < sizes.rope_dim / 2; ++i) {
    const double wavelength =
        2 * std::numbers::pi * std::pow(double{model.rope_base}, 2.0 * i / sizes.rope_dim);
    const double turns = sizes.original / wavelength;
    const double smooth = std::clamp((turns - kLow) / (kHigh - kLow), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / ((1 - smooth) / sizes.stretch + smooth)));
  }
  return factors;
}

/// The field's tools give the layers that matter most a better type: the first and last eighth, and
/// every third between.
bool matters_more(std::uint32_t layer, std::uint32_t n_layers) {
  const std::uint32_t eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

TensorType type_in_mix(const SyntheticModel& model,
                       std::string_view part,
                       std::uint32_t layer,
                       std::uint64_t n_columns) {
  const bool is_embedding = part == "token_embd" || part == "output";
  TensorType type = is_embedding ? model.embedding_type.value_or(model.type) : model.type;
  if (model.mix.empty()) return type;
  if (model.mix != "Q4_K_M" && model.mix != "Q5_K_M") {
    throw std::invalid_argument("no mix " + model.mix + "; there are Q4_K_M and Q5_K_M");
  }
  const bool is_q4 = model.mix == "Q4_K_M";
  type = is_q4 ? TensorType::kQ4_K : TensorType::kQ5_K;
  if (part == "output" || (part == "token_embd" && model.tied)) {
    type = TensorType::kQ6_K;
  } else if (part == "attn_qkv") {
    type = is_q4 ? TensorType::kQ5_K : TensorType::kQ6_K;
  } else if ((part == "attn_v" || part == "ffn_down") && matters_more(layer, model.layers)) {
    type = TensorType::kQ6_K;
  }
  if (n_columns % 256 == 0) return type;
  // Rows that are no whole super-blocks.
  if (type == TensorType::kQ4_K) return TensorType::kQ5_0;
  return type == TensorType::kQ5_K ? TensorType::kQ5_1 : TensorType::kQ8_0;
}

class TensorList {
 public:
  TensorList(const SyntheticModel& model, std::vector<SyntheticTensor>& tensors)
      : model_(model), tensors_(tensors) {}

  void in_layer(std::uint32_t layer) {
    layer_ = layer;
    prefix_ = "blk." + std::to_string(layer) + ".";
  }
  void behind_layers() { prefix_.clear(); }

  void matrix(std::string_view part,
              std::uint64_t n_in,
              const std::vector<SyntheticTensor::Part>& parts) {
    tensors_.push_back({.name = prefix_ + std::string(part) + ".weight",
                        .type = type_in_mix(model_, part, layer_, n_in),
                        .n_columns = n_in,
                        .parts = parts});
  }
  void matrix(std::string_view part, std::uint64_t n_in, std::uint64_t n_out, double gain = 1) {
    matrix(part, n_in, {{n_out, 0, gain / std::sqrt(static_cast<double>(n_in))}});
  }
  void bias(std::string_view part, std::uint64_t n) { vector(part, ".bias", n, {1, 0, 0.3}); }
  void norm(std::string_view part, std::uint64_t n) { vector(part, ".weight", n, {1, 1, 0.1}); }
  void numbers(std::string name, std::vector<float> numbers) {
    tensors_.push_back({.name = std::move(name),
                        .type = TensorType::kF32,
                        .n_columns = numbers.size(),
                        .numbers = std::move(numbers)});
  }

 private:
  void vector(std::string_view part,
              std::string_view suffix,
              std::uint64_t n,
              SyntheticTensor::Part distribution) {
    tensors_.push_back({.name = prefix_ + std::string(part) + std::string(suffix),
                        .type = TensorType::kF32,
                        .n_columns = n,
                        .parts = {distribution}});
  }

  const SyntheticModel& model_;
  std::vector<SyntheticTensor>& tensors_;
  std::string prefix_;
  std::uint32_t layer_ = 0;
};

}  // namespace

std::uint64_t SyntheticTensor::n_rows() const {
  std::uint64_t n = parts.empty() ? 1 : 0;
  for (const Part& part : parts)
    n += part.n_rows;
  return n;
}

std::vector<std::uint64_t> SyntheticTensor::shape() const {
  if (n_rows() == 1 && type == TensorType::kF32) return {n_columns};
  return {n_columns, n_rows()};
}

std::vector<float> SyntheticTensor::rows(std::uint64_t seed,
                                         std::uint64_t first_row,
                                         std::uint64_t n_rows) const {
  if (!numbers.empty()) return numbers;
  std::uint64_t stream = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name)
    stream = (stream ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::vector<float> result;
  result.reserve(n_rows * n_columns);
  std::uint64_t begin = 0;
  for (const Part& part : parts) {
    const std::uint64_t end = begin + part.n_rows;
    for (std::uint64_t row = std::max(begin, first_row); row < std::min(end, first_row + n_rows);
         ++row) {
      Random random(Random(seed ^ stream).next() + row * 0xd1342543de82ef95);
      for (std::uint64_t i = 0; i < n_columns; ++i) {
        result.push_back(static_cast<float>(part.mean + part.deviation * random.normal()));
      }
    }
    begin = end;
  }
  return result;
}

GgufWriter synthetic_keys(const SyntheticModel& model) {
  const Sizes sizes(model);
  const std::string& name = model.architecture;
  GgufWriter writer;
  const auto put = [&](std::string_view key, auto value) {
    writer.put(name + "." + std::string(key), value);
  };
  writer.put_string("general.architecture", name);
  writer.put_string("general.name", "synthetic-" + std::to_string(model.seed));
  writer.put<std::uint32_t>("general.quantization_version", 2);
  put("context_length", model.context);
  put("embedding_length", model.hidden);
  put("block_count", model.layers);
  put("feed_forward_length", model.ffn);
  put("attention.head_count", model.heads);
  put("attention.head_count_kv", model.kv_heads);
  put(name == "starcoder2" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
      model.rms_epsilon);
  if (sizes.query != model.hidden) {
    put("attention.key_length", sizes.head_dim);
    put("attention.value_length", sizes.head_dim);
  }
  if (model.sliding_window != 0) put("attention.sliding_window", model.sliding_window);
  put("rope.dimension_count", sizes.rope_dim);
  put("rope.freq_base", model.rope_base);
  put("rope.scaling.original_context_length", sizes.original);
  put("vocab_size", model.vocab);
  if (sizes.scaling == "longrope") {
    const double original = sizes.original;
    const double factor = std::sqrt(1 + std::log(sizes.stretch) / std::log(original));
    put("rope.scaling.attn_factor", static_cast<float>(factor));
  } else if (sizes.scaling == "linear" || sizes.scaling == "yarn") {
    writer.put_string(name + ".rope.scaling.type", sizes.scaling);
    put("rope.scaling.factor", static_cast<float>(sizes.stretch));
  }
  if (name == "granite") {
    put("embedding_scale", 12.0F);
    put("residual_scale", 0.22F);
    put("attention.scale", 1.0F / static_cast<float>(sizes.head_dim));
    put("logit_scale", 8.0F);
  }
  if (name == "gemma2") {
    put("attn_logit_softcapping", 50.0F);
    put("final_logit_softcapping", 30.0F);
  }
  return writer;
}

std::vector<SyntheticTensor> synthetic_tensors(const SyntheticModel& model) {
  const Sizes sizes(model);
  const std::string& name = model.architecture;
  const bool is_gemma = name == "gemma" || name == "gemma2";
  const bool is_fused = name == "phi3";
  const bool has_layer_norm = name == "starcoder2";
  const bool has_qkv_bias = name == "qwen2" || name == "starcoder2" || model.optional_biases;
  const bool has_bias = name == "starcoder2" || model.optional_biases;
  const std::uint64_t hidden = model.hidden;
  const std::uint64_t ffn = model.ffn;
  constexpr double kSharp = 1.5;  // queries and keys: attention shall choose
  const double spread = 1 / std::sqrt(static_cast<double>(hidden));

  std::vector<SyntheticTensor> tensors;
  TensorList list(model, tensors);
  const auto norm = [&](std::string_view part) {
    list.norm(part, hidden);
    if (has_layer_norm) list.bias(part, hidden);
  };
  const auto linear = [&](std::string_view part,
                          std::uint64_t n_in,
                          std::uint64_t n_out,
                          bool is_biased,
                          double gain = 1) {
    list.matrix(part, n_in, n_out, gain);
    if (is_biased) list.bias(part, n_out);
  };

  // Gemma and Granite scale the embedding up.
  const double embedding_spread = is_gemma ? spread : name == "granite" ? 1.0 / 12 : 1;
  list.matrix("token_embd", hidden, {{model.vocab, 0, embedding_spread}});
  if (sizes.scaling == "longrope") {
    list.numbers("rope_factors_long.weight", longrope_factors(sizes, true));
    list.numbers("rope_factors_short.weight", longrope_factors(sizes, false));
  } else if (sizes.scaling == "llama3") {
    list.numbers("rope_freqs.weight", llama3_factors(model, sizes));
  }
  for (std::uint32_t layer = 0; layer < model.layers; ++layer) {
    list.in_layer(layer);
    norm("attn_norm");
    if (is_fused) {
      list.matrix(
          "attn_qkv",
          hidden,
          {{sizes.query + sizes.key_value, 0, kSharp * spread}, {sizes.key_value, 0, spread}});
    } else {
      linear("attn_q", hidden, sizes.query, has_qkv_bias, kSharp);
      linear("attn_k", hidden, sizes.key_value, has_qkv_bias, kSharp);
      linear("attn_v", hidden, sizes.key_value, has_qkv_bias);
    }
    if (name == "qwen3") {
      list.norm("attn_q_norm", sizes.head_dim);
      list.norm("attn_k_norm", sizes.head_dim);
    }
    linear("attn_output", sizes.query, hidden, has_bias);
    if (name == "gemma2") norm("post_attention_norm");
    norm("ffn_norm");
    if (is_fused) {
      list.matrix("ffn_up", hidden, 2 * ffn);  // gate, then up
    } else {
      if (name != "starcoder2") linear("ffn_gate", hidden, ffn, has_bias);
      linear("ffn_up", hidden, ffn, has_bias);
    }
    linear("ffn_down", ffn, hidden, has_bias);
    if (name == "gemma2") norm("post_ffw_norm");
  }
  list.behind_layers();
  norm("output_norm");
  if (!model.tied && !is_gemma) {
    // </s> and the fill-in-the-middle tokens end a text; their rows are small, so that greedy
    // texts do not end by chance.
    constexpr std::uint64_t kEos = 2;
    constexpr std::uint64_t kFirstFim = kSyntheticFimPre;
    constexpr std::uint64_t kFims = 6;
    list.matrix("output",
                hidden,
                {{kEos, 0, spread},
                 {1, 0, spread / 100},
                 {kFirstFim - kEos - 1, 0, spread},
                 {kFims, 0, spread / 100},
                 {model.vocab - kFirstFim - kFims, 0, spread}});
  }
  return tensors;
}

GgufWriter synthetic_gguf(const SyntheticModel& model) {
  GgufWriter writer = synthetic_keys(model);
  put_synthetic_vocabulary(writer, model);
  for (const SyntheticTensor& tensor : synthetic_tensors(model)) {
    writer.add_floats(
        tensor.name, tensor.type, tensor.shape(), tensor.rows(model.seed, 0, tensor.n_rows()));
  }
  return writer;
}

void write_synthetic_gguf(const SyntheticModel& model, const std::string& path) {
  write_file(path, synthetic_gguf(model).bytes());
}

}  // namespace kinglet::test
