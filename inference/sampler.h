// Chooses the next token from logits.
//
// The order of things: penalties change logits; the mask takes tokens out; greedy ends here. Then
// the temperature makes probabilities, top_k, top_p and min_p each keep some of the most probable
// tokens (all three measured on the same probabilities), and one of those that all keep is drawn.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <unordered_map>
#include <vector>

#include "daemon/base/result.h"
#include "inference/token_mask.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

struct SamplerOptions {
  /// 0: greedy, only the penalties play a part besides. At most 100.
  float temperature = 0.0F;
  /// Only so many of the most probable tokens take part; 0: all.
  std::uint32_t top_k = 0;
  /// Only the most probable tokens that together reach this probability take part; (0, 1].
  float top_p = 1.0F;
  /// Only tokens at least this times as probable as the most probable one take part; [0, 1].
  float min_p = 0.0F;
  /// Divides positive and multiplies negative logits of tokens among the last `penalty_tokens` (of
  /// prompt and output); [0.1, 10], 1: none (Keskar et al. 2019, CTRL).
  float repetition_penalty = 1.0F;
  /// Taken from the logits of these tokens, once and as often as they stand there; [-10, 10].
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  std::uint32_t penalty_tokens = 64;  ///< at most 65536
  /// Same seed, logits and options: same tokens, on every machine.
  std::uint64_t seed = 0;
};

/// The token with the greatest of the logits, (n_vocabulary); of equal ones the lowest. Errors:
/// those of Sampler::sample().
Result<TokenId> likeliest(std::span<const float> logits);

/// One per generation: it holds the state of its random numbers and the last tokens.
class Sampler {
 public:
  /// Errors: kInvalidArgument for options that are out of range or not numbers.
  static Result<Sampler> create(const SamplerOptions& options);

  /// Tells what already stands there: the prompt, then each token that was chosen.
  void accept(TokenId token);

  /// Whether sample() without a mask is likeliest().
  bool is_greedy() const { return options_.temperature == 0 && !has_penalties(); }
  /// A token id, `logits` being (n_vocabulary); one of `allowed` when that is given. Of equal
  /// logits the lowest id comes first. Errors: kNumeric for NaN or infinity, naming the first such
  /// token (a broken model or kernel must not become text); kInvalidArgument for no logits or an
  /// empty mask.
  Result<TokenId> sample(std::span<const float> logits, const TokenMask* allowed = nullptr);

 private:
  struct Candidate {
    TokenId token;
    float logit;
  };

  explicit Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}
  bool has_penalties() const;
  std::span<const float> penalized(std::span<const float> logits);
  TokenId draw();

  SamplerOptions options_;
  std::mt19937_64 random_;
  std::vector<TokenId> history_;  // a ring of the last penalty_tokens
  std::size_t n_accepted_ = 0;
  std::unordered_map<TokenId, std::uint32_t> counts_;  // of history_
  std::vector<float> penalized_;                       // these two are kept for their memory
  std::vector<Candidate> candidates_;
};

}  // namespace kinglet::inference
