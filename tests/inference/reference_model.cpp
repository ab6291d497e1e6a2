#include "tests/inference/reference_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "tests/support/reference_blocks.h"

namespace kinglet::test {

using inference::Gguf;
using inference::TensorInfo;

namespace {

double soft_cap(double x, double cap) {
  return cap == 0 ? x : cap * std::tanh(x / cap);
}

}  // namespace

std::vector<double> reference_dequantize(const TensorInfo& tensor) {
  return reference_dequantize(static_cast<std::uint32_t>(tensor.type), tensor.data);
}

/// Keys and tensors of a file, by the names of its architecture.
class ReferenceModel::Reader {
 public:
  explicit Reader(const Gguf& gguf)
      : gguf_(gguf),
        architecture_(unwrap(gguf.require<std::string_view>("general.architecture"))) {}

  const std::string& architecture() const { return architecture_; }

  std::uint32_t integer(const std::string& key) const {
    return unwrap(gguf_.require<std::uint32_t>(architecture_ + "." + key));
  }
  template <class T>
  T value_or(const std::string& key, T otherwise) const {
    return unwrap(gguf_.get<T>(architecture_ + "." + key)).value_or(otherwise);
  }
  std::string text(const std::string& key) const {
    return std::string(value_or<std::string_view>(key, ""));
  }

  bool has(const std::string& name) const { return gguf_.find_tensor(name) != nullptr; }

  Vector vector(const std::string& name) const { return reference_dequantize(tensor(name)); }

  /// Empty where the file has none.
  Vector vector_if_any(const std::string& name) const {
    return has(name) ? vector(name) : Vector();
  }

  Linear linear(const std::string& name) const {
    const TensorInfo& info = tensor(name + ".weight");
    return {
        info.shape[0], info.shape[1], reference_dequantize(info), vector_if_any(name + ".bias")};
  }

  Norm norm(const std::string& name) const {
    return {vector_if_any(name + ".weight"), vector_if_any(name + ".bias")};
  }

 private:
  template <class T>
  static T unwrap(Result<T>&& result) {
    if (!result) throw std::runtime_error(result.error().message);
    return *std::move(result);
  }

  const TensorInfo& tensor(const std::string& name) const {
    const TensorInfo* found = gguf_.find_tensor(name);
    if (found == nullptr) throw std::runtime_error("no tensor " + name);
    return *found;
  }

  const Gguf& gguf_;
  std::string architecture_;
};

ReferenceModel::ReferenceModel(const Gguf& gguf) {
  const Reader file(gguf);
  const std::string& architecture = file.architecture();
  const auto is = [&](std::string_view name) { return architecture == name; };
  if (!is("gemma") && !is("gemma2") && !is("granite") && !is("llama") && !is("phi3") &&
      !is("qwen2") && !is("qwen3") && !is("starcoder2")) {
    throw std::runtime_error("the reference does not know " + architecture);
  }
  const bool is_gemma = is("gemma") || is("gemma2");

  const std::uint32_t n_layers = file.integer("block_count");
  n_embedding_ = file.integer("embedding_length");
  n_heads_ = file.integer("attention.head_count");
  n_kv_heads_ = file.value_or("attention.head_count_kv", n_heads_);
  head_dim_ = file.value_or("attention.key_length", n_embedding_ / n_heads_);
  has_layer_norm_ = is("starcoder2");
  norm_epsilon_ = file.value_or(
      has_layer_norm_ ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 0.0F);
  activation_ = is_gemma || is("starcoder2") ? Activation::kGelu : Activation::kSilu;

  original_context_ =
      file.value_or("rope.scaling.original_context_length", file.integer("context_length"));
  rope_dims_ = file.value_or("rope.dimension_count", head_dim_);
  rope_is_interleaved_ = is("llama") || is("granite");
  rope_base_ = file.value_or("rope.freq_base", 10000.0F);
  rope_scaling_ = file.text("rope.scaling.type");
  rope_scaling_factor_ =
      file.value_or("rope.scaling.factor", file.value_or("rope.scale_linear", 1.0F));
  if (rope_scaling_.empty() && rope_scaling_factor_ != 1) rope_scaling_ = "linear";
  rope_beta_fast_ = file.value_or("rope.scaling.yarn_beta_fast", 32.0F);
  rope_beta_slow_ = file.value_or("rope.scaling.yarn_beta_slow", 1.0F);
  rope_magnitude_ = file.value_or("rope.scaling.attn_factor", 1.0F);
  if (rope_scaling_ == "yarn") rope_magnitude_ *= 0.1 * std::log(rope_scaling_factor_) + 1;
  if (file.has("rope_freqs.weight")) {
    long_factors_ = short_factors_ = file.vector("rope_freqs.weight");
  } else {
    long_factors_ = file.vector_if_any("rope_factors_long.weight");
    short_factors_ = file.vector_if_any("rope_factors_short.weight");
  }

  score_scale_ = file.value_or("attention.scale", 0.0F);
  if (score_scale_ == 0) score_scale_ = 1 / std::sqrt(double(head_dim_));
  if (is("gemma2")) {
    score_cap_ = file.value_or("attn_logit_softcapping", 50.0F);
    logit_cap_ = file.value_or("final_logit_softcapping", 30.0F);
    if (n_layers == 46) score_scale_ = 1 / std::sqrt(double(n_embedding_ / n_heads_));
  }
  if (is_gemma) embedding_scale_ = std::sqrt(double(n_embedding_));
  if (is("granite")) {
    embedding_scale_ = file.value_or("embedding_scale", 1.0F);
    residual_scale_ = file.value_or("residual_scale", 1.0F);
    logit_divisor_ = file.value_or("logit_scale", 1.0F);
  }

  token_embedding_ = file.linear("token_embd");
  n_vocabulary_ = static_cast<std::uint32_t>(token_embedding_.n_out);
  output_ = file.has("output.weight") ? file.linear("output") : token_embedding_;
  output_norm_ = file.norm("output_norm");

  std::uint32_t window = 0;
  if (is("llama") || is("phi3")) window = file.value_or("attention.sliding_window", 0U);
  if (is("gemma2") || is("starcoder2")) window = file.value_or("attention.sliding_window", 4096U);
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    Layer layer;
    layer.attention_norm = file.norm(block + "attn_norm");
    layer.query_norm = file.norm(block + "attn_q_norm");
    layer.key_norm = file.norm(block + "attn_k_norm");
    layer.attention_output = file.linear(block + "attn_output");
    layer.attention_post_norm = file.norm(block + "post_attention_norm");
    layer.feed_forward_norm = file.norm(block + "ffn_norm");
    layer.down = file.linear(block + "ffn_down");
    layer.feed_forward_post_norm = file.norm(block + "post_ffw_norm");
    // Gemma 2: layers 0, 2, 4... see a window, the others all.
    layer.window = is("gemma2") && i % 2 == 1 ? 0 : window;
    // Rows [begin, begin + n) of a fused projection.
    const auto rows = [](const Linear& fused, std::size_t begin, std::size_t n) {
      const auto first = fused.weight.begin() + static_cast<std::ptrdiff_t>(begin * fused.n_in);
      const auto last = first + static_cast<std::ptrdiff_t>(n * fused.n_in);
      return Linear{fused.n_in, n, Vector(first, last), {}};
    };
    if (is("phi3")) {
      const Linear qkv = file.linear(block + "attn_qkv");
      const std::size_t n_query = std::size_t{n_heads_} * head_dim_;
      const std::size_t n_kv = std::size_t{n_kv_heads_} * head_dim_;
      layer.query = rows(qkv, 0, n_query);
      layer.key = rows(qkv, n_query, n_kv);
      layer.value = rows(qkv, n_query + n_kv, n_kv);
      const Linear gate_up = file.linear(block + "ffn_up");
      layer.gate = rows(gate_up, 0, gate_up.n_out / 2);
      layer.up = rows(gate_up, gate_up.n_out / 2, gate_up.n_out / 2);
    } else {
      layer.query = file.linear(block + "attn_q");
      layer.key = file.linear(block + "attn_k");
      layer.value = file.linear(block + "attn_v");
      if (!is("starcoder2")) layer.gate = file.linear(block + "ffn_gate");
      layer.up = file.linear(block + "ffn_up");
    }
    layers_.push_back(std::move(layer));
  }
}

ReferenceModel::Vector ReferenceModel::normed(const Vector& x, const Norm& norm) const {
  const auto n = static_cast<double>(x.size());
  double mean = 0;
  if (has_layer_norm_) {
    for (const double value : x)
      mean += value / n;
  }
  double variance = 0;
  for (const double value : x)
    variance += (value - mean) * (value - mean) / n;
  Vector out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    out[i] = (x[i] - mean) / std::sqrt(variance + norm_epsilon_) * norm.weight[i];
    if (!norm.bias.empty()) out[i] += norm.bias[i];
  }
  return out;
}

ReferenceModel::Vector ReferenceModel::multiply(const Linear& linear, const Vector& x) {
  Vector out = linear.bias;
  out.resize(linear.n_out, 0.0);
  for (std::size_t row = 0; row < linear.n_out; ++row) {
    for (std::size_t column = 0; column < linear.n_in; ++column) {
      out[row] += linear.weight[row * linear.n_in + column] * x[column];
    }
  }
  return out;
}

double ReferenceModel::activated(double x) const {
  if (activation_ == Activation::kSilu) return x / (1 + std::exp(-x));
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

ReferenceModel::Vector ReferenceModel::frequencies(std::uint32_t max_tokens) const {
  const Vector& factors = max_tokens > original_context_ ? long_factors_ : short_factors_;
  Vector frequencies;
  for (std::uint32_t i = 0; i < rope_dims_ / 2; ++i) {
    double frequency = std::pow(rope_base_, -2.0 * i / rope_dims_);
    if (!factors.empty()) frequency /= factors[i];
    if (rope_scaling_ == "linear") frequency /= rope_scaling_factor_;
    if (rope_scaling_ == "yarn") {
      // The pair whose wavelength fits n times into the original context.
      const auto pair_of = [&](double n) {
        return rope_dims_ / 2.0 * std::log(original_context_ / (2 * std::numbers::pi * n)) /
               std::log(rope_base_);
      };
      const double low = std::max(std::floor(pair_of(rope_beta_fast_)), 0.0);
      const double high = std::min(std::ceil(pair_of(rope_beta_slow_)), rope_dims_ - 1.0);
      const double ramp = std::clamp((i - low) / std::max(high - low, 0.001), 0.0, 1.0);
      frequency = frequency / rope_scaling_factor_ * ramp + frequency * (1 - ramp);
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

void ReferenceModel::rotate(double* head, std::uint32_t position, const Vector& frequencies) const {
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double cosine = std::cos(position * frequencies[i]) * rope_magnitude_;
    const double sine = std::sin(position * frequencies[i]) * rope_magnitude_;
    double& a = head[rope_is_interleaved_ ? 2 * i : i];
    double& b = head[rope_is_interleaved_ ? 2 * i + 1 : i + frequencies.size()];
    const double turned = a * cosine - b * sine;
    b = b * cosine + a * sine;
    a = turned;
  }
}

/// `keys` and `values` are those of all positions up to the query's, each (n_kv_heads, head_dim).
ReferenceModel::Vector ReferenceModel::attend(const Layer& layer,
                                              const Vector& queries,
                                              const std::vector<Vector>& keys,
                                              const std::vector<Vector>& values) const {
  Vector attended(queries.size(), 0.0);  // (n_heads, head_dim)
  const std::size_t n = keys.size();
  const std::size_t first = layer.window != 0 && n > layer.window ? n - layer.window : 0;
  for (std::size_t head = 0; head < n_heads_; ++head) {
    const double* query = &queries[head * head_dim_];
    const std::size_t kv = head / (n_heads_ / n_kv_heads_) * head_dim_;
    Vector scores;  // of positions first..n
    for (std::size_t at = first; at < n; ++at) {
      double dot = 0;
      for (std::uint32_t d = 0; d < head_dim_; ++d)
        dot += query[d] * keys[at][kv + d];
      scores.push_back(soft_cap(dot * score_scale_, score_cap_));
    }
    const double greatest = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores)
      total += score = std::exp(score - greatest);
    for (std::size_t at = first; at < n; ++at) {
      for (std::uint32_t d = 0; d < head_dim_; ++d) {
        attended[head * head_dim_ + d] += scores[at - first] / total * values[at][kv + d];
      }
    }
  }
  return attended;
}

ReferenceModel::Vector ReferenceModel::feed_forward(const Layer& layer, const Vector& x) const {
  Vector hidden = multiply(layer.up, x);  // (n_feed_forward)
  if (layer.gate.n_out == 0) {
    for (double& value : hidden)
      value = activated(value);
  } else {
    const Vector gate = multiply(layer.gate, x);
    for (std::size_t i = 0; i < hidden.size(); ++i)
      hidden[i] *= activated(gate[i]);
  }
  return multiply(layer.down, hidden);
}

std::vector<std::vector<double>> ReferenceModel::logits(std::span<const std::int32_t> tokens,
                                                        std::uint32_t max_tokens) const {
  const Vector turns = frequencies(max_tokens);
  // By layer and position, each (n_kv_heads, head_dim).
  std::vector<std::vector<Vector>> keys(layers_.size());
  std::vector<std::vector<Vector>> values(layers_.size());
  std::vector<Vector> all_logits;

  for (std::uint32_t position = 0; position < tokens.size(); ++position) {
    const auto row = token_embedding_.weight.begin() +
                     static_cast<std::ptrdiff_t>(tokens[position]) * n_embedding_;
    Vector x(row, row + n_embedding_);  // (n_embedding)
    for (double& value : x)
      value *= embedding_scale_;
    const auto add = [&](Vector what, const Norm& post_norm) {
      if (!post_norm.weight.empty()) what = normed(what, post_norm);
      for (std::uint32_t i = 0; i < n_embedding_; ++i)
        x[i] += what[i] * residual_scale_;
    };
    // Norms each head of `heads` where there is such a norm, then turns it.
    const auto norm_and_turn = [&](Vector& heads, const Norm& norm) {
      for (std::size_t at = 0; at < heads.size(); at += head_dim_) {
        const auto begin = heads.begin() + static_cast<std::ptrdiff_t>(at);
        if (!norm.weight.empty()) {
          const Vector head = normed(Vector(begin, begin + head_dim_), norm);
          std::copy(head.begin(), head.end(), begin);
        }
        rotate(&heads[at], position, turns);
      }
    };
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = layers_[l];
      const Vector in = normed(x, layer.attention_norm);
      Vector queries = multiply(layer.query, in);  // (n_heads, head_dim)
      Vector key = multiply(layer.key, in);        // (n_kv_heads, head_dim)
      norm_and_turn(queries, layer.query_norm);
      norm_and_turn(key, layer.key_norm);
      keys[l].push_back(std::move(key));
      values[l].push_back(multiply(layer.value, in));
      const Vector attended = attend(layer, queries, keys[l], values[l]);
      add(multiply(layer.attention_output, attended), layer.attention_post_norm);
      add(feed_forward(layer, normed(x, layer.feed_forward_norm)), layer.feed_forward_post_norm);
    }
    Vector logits = multiply(output_, normed(x, output_norm_));
    for (double& logit : logits)
      logit = soft_cap(logit / logit_divisor_, logit_cap_);
    all_logits.push_back(std::move(logits));
  }
  return all_logits;
}

}  // namespace kinglet::test
