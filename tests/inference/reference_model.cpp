#include "tests/inference/reference_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "tests/support/reference_blocks.h"

namespace kinglet::test {

namespace {

using inference::Gguf;
using inference::TensorInfo;

std::uint32_t integer(const Gguf& gguf, const std::string& key) {
  const auto value = gguf.require<std::uint32_t>(key);
  if (!value) throw std::runtime_error(value.error().message);
  return *value;
}

template <class T>
T value_or(const Gguf& gguf, const std::string& key, T otherwise) {
  const auto value = gguf.get<T>(key);
  if (!value) throw std::runtime_error(value.error().message);
  return value->value_or(otherwise);
}

const TensorInfo& tensor(const Gguf& gguf, const std::string& name) {
  const TensorInfo* found = gguf.find_tensor(name);
  if (found == nullptr) throw std::runtime_error("no tensor " + name);
  return *found;
}

}  // namespace

std::vector<double> reference_dequantize(const TensorInfo& tensor) {
  return reference_dequantize(static_cast<std::uint32_t>(tensor.type), tensor.data);
}

ReferenceModel::ReferenceModel(const Gguf& gguf)
    : n_layers_(integer(gguf, "phi3.block_count")),
      n_embedding_(integer(gguf, "phi3.embedding_length")),
      n_heads_(integer(gguf, "phi3.attention.head_count")),
      n_kv_heads_(value_or(gguf, "phi3.attention.head_count_kv", n_heads_)),
      head_dim_(value_or(gguf, "phi3.attention.key_length", n_embedding_ / n_heads_)),
      n_feed_forward_(integer(gguf, "phi3.feed_forward_length")),
      rope_dims_(value_or(gguf, "phi3.rope.dimension_count", head_dim_)),
      original_context_(value_or(
          gguf, "phi3.rope.scaling.original_context_length", integer(gguf, "phi3.context_length"))),
      sliding_window_(value_or(gguf, "phi3.attention.sliding_window", 0U)),
      rope_base_(value_or(gguf, "phi3.rope.freq_base", 10000.0F)),
      attention_factor_(value_or(gguf, "phi3.rope.scaling.attn_factor", 1.0F)),
      rms_epsilon_(value_or(gguf, "phi3.attention.layer_norm_rms_epsilon", 0.0F)) {
  const auto vector = [&](const std::string& name) {
    return reference_dequantize(tensor(gguf, name));
  };
  const auto matrix = [&](const std::string& name) {
    const TensorInfo& info = tensor(gguf, name);
    return Matrix{info.shape[0], info.shape[1], reference_dequantize(info)};
  };
  token_embedding_ = matrix("token_embd.weight");
  n_vocabulary_ = static_cast<std::uint32_t>(token_embedding_.n_out);
  output_norm_ = vector("output_norm.weight");
  const bool tied = gguf.find_tensor("output.weight") == nullptr;
  output_ = tied ? token_embedding_ : matrix("output.weight");
  const Vector ones(rope_dims_ / 2, 1.0);
  const bool has_factors = gguf.find_tensor("rope_factors_long.weight") != nullptr;
  long_factors_ = has_factors ? vector("rope_factors_long.weight") : ones;
  short_factors_ = has_factors ? vector("rope_factors_short.weight") : ones;
  for (std::uint32_t i = 0; i < n_layers_; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    layers_.push_back(Layer{
        .attention_norm = vector(block + "attn_norm.weight"),
        .qkv = matrix(block + "attn_qkv.weight"),
        .attention_output = matrix(block + "attn_output.weight"),
        .feed_forward_norm = vector(block + "ffn_norm.weight"),
        .gate_up = matrix(block + "ffn_up.weight"),
        .feed_forward_down = matrix(block + "ffn_down.weight"),
    });
  }
}

ReferenceModel::Vector ReferenceModel::rms_norm(const Vector& x, const Vector& weight) const {
  double squares = 0;
  for (const double value : x)
    squares += value * value;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + rms_epsilon_);
  Vector out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = x[i] * scale * weight[i];
  return out;
}

ReferenceModel::Vector ReferenceModel::multiply(const Matrix& matrix, const Vector& x) {
  Vector out(matrix.n_out, 0.0);
  for (std::size_t row = 0; row < matrix.n_out; ++row) {
    for (std::size_t column = 0; column < matrix.n_in; ++column) {
      out[row] += matrix.values[row * matrix.n_in + column] * x[column];
    }
  }
  return out;
}

void ReferenceModel::rotate(double* head, std::uint32_t position, const Vector& factors) const {
  const std::uint32_t half_dims = rope_dims_ / 2;
  for (std::uint32_t i = 0; i < half_dims; ++i) {
    const double frequency = std::pow(rope_base_, -2.0 * i / rope_dims_) / factors[i];
    const double cosine = std::cos(position * frequency) * attention_factor_;
    const double sine = std::sin(position * frequency) * attention_factor_;
    const double a = head[i];
    const double b = head[i + half_dims];
    head[i] = a * cosine - b * sine;
    head[i + half_dims] = b * cosine + a * sine;
  }
}

std::vector<std::vector<double>> ReferenceModel::logits(std::span<const std::int32_t> tokens,
                                                        std::uint32_t max_tokens) const {
  const Vector& factors = max_tokens > original_context_ ? long_factors_ : short_factors_;
  const std::size_t n_query = std::size_t{n_heads_} * head_dim_;
  const std::size_t n_kv = std::size_t{n_kv_heads_} * head_dim_;
  // By layer and position, each (n_kv_heads, head_dim).
  std::vector<std::vector<Vector>> keys(n_layers_);
  std::vector<std::vector<Vector>> values(n_layers_);
  std::vector<Vector> all_logits;

  for (std::uint32_t position = 0; position < tokens.size(); ++position) {
    const auto row = token_embedding_.values.begin() +
                     static_cast<std::ptrdiff_t>(tokens[position]) * n_embedding_;
    Vector x(row, row + n_embedding_);  // (n_embedding)
    for (std::uint32_t l = 0; l < n_layers_; ++l) {
      const Layer& layer = layers_[l];
      // (n_heads + 2 * n_kv_heads, head_dim): queries, keys, values
      Vector qkv = multiply(layer.qkv, rms_norm(x, layer.attention_norm));
      for (std::uint32_t head = 0; head < n_heads_ + n_kv_heads_; ++head) {
        rotate(&qkv[std::size_t{head} * head_dim_], position, factors);
      }
      const auto key_begin = qkv.begin() + static_cast<std::ptrdiff_t>(n_query);
      const auto value_begin = key_begin + static_cast<std::ptrdiff_t>(n_kv);
      keys[l].emplace_back(key_begin, value_begin);
      values[l].emplace_back(value_begin, qkv.end());

      Vector attended(n_query, 0.0);  // (n_heads, head_dim)
      const std::uint32_t first =
          sliding_window_ != 0 && position >= sliding_window_ ? position - sliding_window_ + 1 : 0;
      for (std::uint32_t head = 0; head < n_heads_; ++head) {
        const double* query = &qkv[std::size_t{head} * head_dim_];
        const std::size_t kv = std::size_t{head / (n_heads_ / n_kv_heads_)} * head_dim_;
        Vector scores;  // of positions first..position
        for (std::uint32_t at = first; at <= position; ++at) {
          double dot = 0;
          for (std::uint32_t d = 0; d < head_dim_; ++d)
            dot += query[d] * keys[l][at][kv + d];
          scores.push_back(dot / std::sqrt(static_cast<double>(head_dim_)));
        }
        const double greatest = *std::max_element(scores.begin(), scores.end());
        double total = 0;
        for (double& score : scores)
          total += score = std::exp(score - greatest);
        for (std::uint32_t at = first; at <= position; ++at) {
          for (std::uint32_t d = 0; d < head_dim_; ++d) {
            attended[std::size_t{head} * head_dim_ + d] +=
                scores[at - first] / total * values[l][at][kv + d];
          }
        }
      }
      const Vector projected = multiply(layer.attention_output, attended);
      for (std::uint32_t i = 0; i < n_embedding_; ++i)
        x[i] += projected[i];

      // (2, n_feed_forward): gate, up
      const Vector gate_up = multiply(layer.gate_up, rms_norm(x, layer.feed_forward_norm));
      Vector gated(n_feed_forward_);
      for (std::uint32_t i = 0; i < n_feed_forward_; ++i) {
        gated[i] = gate_up[i] / (1 + std::exp(-gate_up[i])) * gate_up[n_feed_forward_ + i];
      }
      const Vector down = multiply(layer.feed_forward_down, gated);
      for (std::uint32_t i = 0; i < n_embedding_; ++i)
        x[i] += down[i];
    }
    all_logits.push_back(multiply(output_, rms_norm(x, output_norm_)));
  }
  return all_logits;
}

}  // namespace kinglet::test
