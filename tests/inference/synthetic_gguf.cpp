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

  std::vector<float> normals(std::uint64_t n, double mean, double deviation) {
    std::vector<float> numbers(n);
    for (float& x : numbers)
      x = static_cast<float>(mean + deviation * normal());
    return numbers;
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

void put_vocabulary(GgufWriter& writer, const SyntheticModel& model) {
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

}  // namespace

GgufWriter synthetic_gguf(const SyntheticModel& model) {
  const std::uint32_t head_dim = model.head_dim != 0 ? model.head_dim : model.hidden / model.heads;
  const std::uint32_t rope_dim = model.rope_dim != 0 ? model.rope_dim : head_dim;
  const std::uint32_t original =
      model.original_context != 0 ? model.original_context : model.context;
  if (model.vocab < kMinSyntheticVocab || head_dim == 0 || head_dim % 2 != 0 || rope_dim % 2 != 0 ||
      rope_dim > head_dim || model.heads % model.kv_heads != 0 || original > model.context) {
    throw std::invalid_argument("a synthetic model of an impossible shape");
  }
  const std::uint64_t q_rows = std::uint64_t{model.heads} * head_dim;
  const std::uint64_t kv_rows = std::uint64_t{model.kv_heads} * head_dim;

  GgufWriter writer;
  writer.put_string("general.architecture", "phi3");
  writer.put_string("general.name", "synthetic-" + std::to_string(model.seed));
  writer.put<std::uint32_t>("general.quantization_version", 2);
  writer.put("phi3.context_length", model.context);
  writer.put("phi3.embedding_length", model.hidden);
  writer.put("phi3.block_count", model.layers);
  writer.put("phi3.feed_forward_length", model.ffn);
  writer.put("phi3.attention.head_count", model.heads);
  writer.put("phi3.attention.head_count_kv", model.kv_heads);
  writer.put("phi3.attention.layer_norm_rms_epsilon", model.rms_epsilon);
  if (q_rows != model.hidden) {
    writer.put("phi3.attention.key_length", head_dim);
    writer.put("phi3.attention.value_length", head_dim);
  }
  writer.put("phi3.rope.dimension_count", rope_dim);
  writer.put("phi3.rope.freq_base", model.rope_base);
  writer.put("phi3.rope.scaling.original_context_length", original);
  writer.put("phi3.vocab_size", model.vocab);
  const double scale = static_cast<double>(model.context) / original;
  if (scale > 1) {
    const double factor = std::sqrt(1 + std::log(scale) / std::log(static_cast<double>(original)));
    writer.put("phi3.rope.scaling.attn_factor", static_cast<float>(factor));
  }
  put_vocabulary(writer, model);

  Random random(model.seed);
  const auto deviation = [](std::uint64_t n_in) {
    return 1 / std::sqrt(static_cast<double>(n_in));
  };
  const auto matrix = [&](const std::string& name, std::uint64_t n_in, std::uint64_t n_out) {
    writer.add_floats(
        name, model.type, {n_in, n_out}, random.normals(n_in * n_out, 0, deviation(n_in)));
  };
  const auto norm = [&](const std::string& name) {
    writer.add_floats(name, TensorType::kF32, {model.hidden}, random.normals(model.hidden, 1, 0.1));
  };
  const auto vocabulary_matrix = [&](const std::string& name, double spread) {
    writer.add_floats(name,
                      model.embedding_type.value_or(model.type),
                      {model.hidden, model.vocab},
                      random.normals(std::uint64_t{model.hidden} * model.vocab, 0, spread));
  };

  vocabulary_matrix("token_embd.weight", 1);
  if (scale > 1) {
    std::vector<float> long_factors;
    std::vector<float> short_factors;
    const std::uint32_t n = rope_dim / 2;
    for (std::uint32_t i = 0; i < n; ++i) {
      const double x = n > 1 ? static_cast<double>(i) / (n - 1) : 0;
      long_factors.push_back(static_cast<float>(1 + x * x * (2 * scale - 1)));
      short_factors.push_back(static_cast<float>(1 + 0.15 * x));
    }
    writer.add_floats("rope_factors_long.weight", TensorType::kF32, {n}, long_factors);
    writer.add_floats("rope_factors_short.weight", TensorType::kF32, {n}, short_factors);
  }
  for (std::uint32_t layer = 0; layer < model.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm.weight");
    // Rows: queries, keys, values. Sharper queries and keys make attention choose.
    std::vector<float> qkv =
        random.normals(model.hidden * (q_rows + kv_rows), 0, 1.5 * deviation(model.hidden));
    const std::vector<float> v = random.normals(model.hidden * kv_rows, 0, deviation(model.hidden));
    qkv.insert(qkv.end(), v.begin(), v.end());
    writer.add_floats(
        block + "attn_qkv.weight", model.type, {model.hidden, q_rows + 2 * kv_rows}, qkv);
    matrix(block + "attn_output.weight", q_rows, model.hidden);
    norm(block + "ffn_norm.weight");
    matrix(block + "ffn_up.weight", model.hidden, 2 * std::uint64_t{model.ffn});  // gate, then up
    matrix(block + "ffn_down.weight", model.ffn, model.hidden);
  }
  norm("output_norm.weight");
  if (!model.tied) vocabulary_matrix("output.weight", deviation(model.hidden));
  return writer;
}

void write_synthetic_gguf(const SyntheticModel& model, const std::string& path) {
  write_file(path, synthetic_gguf(model).bytes());
}

}  // namespace kinglet::test
