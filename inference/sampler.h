// Chooses the next token from logits.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "daemon/base/result.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

struct SamplerOptions {
  float temperature = 0.0F;  ///< 0: greedy, the other options play no part
  /// Only the most probable tokens that together reach this probability take part; (0, 1].
  float top_p = 1.0F;
  /// Same seed, logits and options: same tokens, on every machine.
  std::uint64_t seed = 0;
};

/// One per generation: it holds the state of its random numbers.
class Sampler {
 public:
  /// Errors: kInvalidArgument for options that are out of range or not numbers.
  static Result<Sampler> create(const SamplerOptions& options);

  /// A token id, `logits` being (n_vocabulary). Of equal logits the lowest id comes first. Error:
  /// kNumeric for NaN or infinity, naming the first such token: a broken model or kernel must not
  /// become text.
  Result<TokenId> sample(std::span<const float> logits);

 private:
  explicit Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

  SamplerOptions options_;
  std::mt19937_64 random_;
  struct Candidate {
    TokenId token;
    float logit;
  };
  std::vector<Candidate> candidates_;  // kept for its memory
};

}  // namespace kinglet::inference
