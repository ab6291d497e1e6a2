// Forward passes in float64, written to be read and to share nothing with the engine: of its code
// they use the GGUF reader alone, for raw bytes and keys. The shape of every array stands beside
// it. Slow; for the shapes of synthetic_gguf.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "inference/gguf.h"

namespace kinglet::test {

class ReferenceModel {
 public:
  /// Any architecture that Kinglet runs. Throws std::runtime_error for a file it cannot read.
  explicit ReferenceModel(const inference::Gguf& gguf);

  std::uint32_t n_vocabulary() const { return n_vocabulary_; }

  /// (tokens.size(), n_vocabulary): logits after each token, for a sequence that may grow to
  /// `max_tokens` positions (which decides the rope factors).
  std::vector<std::vector<double>> logits(std::span<const std::int32_t> tokens,
                                          std::uint32_t max_tokens) const;

 private:
  class Reader;
  using Vector = std::vector<double>;
  struct Linear {  // y = W x + b
    std::size_t n_in = 0;
    std::size_t n_out = 0;
    Vector weight;  // (n_out, n_in)
    Vector bias;    // (n_out), or empty
  };
  struct Norm {
    Vector weight;  // empty: there is no such norm
    Vector bias;    // or empty
  };
  struct Layer {
    Norm attention_norm;       // (n_embedding)
    Linear query;              // n_embedding -> n_heads * head_dim
    Linear key;                // n_embedding -> n_kv_heads * head_dim
    Linear value;              // likewise
    Norm query_norm;           // (head_dim), of each head
    Norm key_norm;             // likewise
    Linear attention_output;   // n_heads * head_dim -> n_embedding
    Norm attention_post_norm;  // (n_embedding)
    Norm feed_forward_norm;    // (n_embedding)
    Linear gate;               // n_embedding -> n_feed_forward; n_out = 0: there is no gate
    Linear up;                 // likewise
    Linear down;               // n_feed_forward -> n_embedding
    Norm feed_forward_post_norm;
    std::uint32_t window = 0;  // 0: all positions
  };
  enum class Activation { kSilu, kGelu };

  Vector normed(const Vector& x, const Norm& norm) const;
  static Vector multiply(const Linear& linear, const Vector& x);
  double activated(double x) const;
  /// (pairs): radians a position turns each pair by.
  Vector frequencies(std::uint32_t max_tokens) const;
  void rotate(double* head, std::uint32_t position, const Vector& frequencies) const;
  Vector attend(const Layer& layer,
                const Vector& queries,
                const std::vector<Vector>& keys,
                const std::vector<Vector>& values) const;
  Vector feed_forward(const Layer& layer, const Vector& x) const;

  std::uint32_t n_embedding_ = 0;
  std::uint32_t n_heads_ = 0;
  std::uint32_t n_kv_heads_ = 0;
  std::uint32_t head_dim_ = 0;
  std::uint32_t n_vocabulary_ = 0;
  std::uint32_t original_context_ = 0;
  double norm_epsilon_ = 0;
  bool has_layer_norm_ = false;  // else RMS norm
  Activation activation_ = Activation::kSilu;

  std::uint32_t rope_dims_ = 0;
  bool rope_is_interleaved_ = false;
  double rope_base_ = 0;
  std::string rope_scaling_;  // "", "linear", "yarn", "longrope"
  double rope_scaling_factor_ = 1;
  double rope_beta_fast_ = 32;
  double rope_beta_slow_ = 1;
  double rope_magnitude_ = 1;  // of cos and sin
  Vector long_factors_;        // (rope_dims / 2), or empty
  Vector short_factors_;

  double score_scale_ = 0;
  double score_cap_ = 0;  // 0: none
  double logit_cap_ = 0;
  double embedding_scale_ = 1;
  double residual_scale_ = 1;
  double logit_divisor_ = 1;

  Linear token_embedding_;
  Linear output_;
  Norm output_norm_;
  std::vector<Layer> layers_;
};

/// The numbers of a tensor's blocks, decoded by reference_blocks.h.
std::vector<double> reference_dequantize(const inference::TensorInfo& tensor);

}  // namespace kinglet::test
