// A phi3 forward pass in float64, written to be read and to share nothing with the engine: of its
// code it uses the GGUF reader alone, for raw bytes and keys. The shape of every array stands
// beside it. Slow; for the shapes of synthetic_gguf.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "inference/gguf.h"

namespace kinglet::test {

class ReferenceModel {
 public:
  /// Throws std::runtime_error for a file it cannot read.
  explicit ReferenceModel(const inference::Gguf& gguf);

  std::uint32_t n_vocabulary() const { return n_vocabulary_; }

  /// (tokens.size(), n_vocabulary): logits after each token, for a sequence that may grow to
  /// `max_tokens` positions (which decides the rope factors).
  std::vector<std::vector<double>> logits(std::span<const std::int32_t> tokens,
                                          std::uint32_t max_tokens) const;

 private:
  using Vector = std::vector<double>;
  struct Matrix {
    std::size_t n_in = 0;
    std::size_t n_out = 0;
    Vector values;  // (n_out, n_in)
  };
  struct Layer {
    Vector attention_norm;     // (n_embedding)
    Matrix qkv;                // n_embedding -> (n_heads + 2 * n_kv_heads) * head_dim
    Matrix attention_output;   // n_heads * head_dim -> n_embedding
    Vector feed_forward_norm;  // (n_embedding)
    Matrix gate_up;            // n_embedding -> 2 * n_feed_forward
    Matrix feed_forward_down;  // n_feed_forward -> n_embedding
  };

  Vector rms_norm(const Vector& x, const Vector& weight) const;
  static Vector multiply(const Matrix& matrix, const Vector& x);
  void rotate(double* head, std::uint32_t position, const Vector& factors) const;

  std::uint32_t n_layers_ = 0;
  std::uint32_t n_embedding_ = 0;
  std::uint32_t n_heads_ = 0;
  std::uint32_t n_kv_heads_ = 0;
  std::uint32_t head_dim_ = 0;
  std::uint32_t n_feed_forward_ = 0;
  std::uint32_t n_vocabulary_ = 0;
  std::uint32_t rope_dims_ = 0;
  std::uint32_t original_context_ = 0;
  std::uint32_t sliding_window_ = 0;
  double rope_base_ = 0;
  double attention_factor_ = 1;
  double rms_epsilon_ = 0;

  Matrix token_embedding_;
  Matrix output_;
  Vector output_norm_;
  Vector long_factors_;  // (rope_dims / 2), 1 where the file has none
  Vector short_factors_;
  std::vector<Layer> layers_;
};

/// The numbers of a tensor's blocks, decoded by this file's own rules.
std::vector<double> reference_dequantize(const inference::TensorInfo& tensor);

}  // namespace kinglet::test
