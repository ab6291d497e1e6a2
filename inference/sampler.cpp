#include "inference/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace kinglet::inference {

Result<Sampler> Sampler::create(const SamplerOptions& options) {
  if (!(options.temperature >= 0 && options.temperature <= 100)) {
    return fail(ErrorCode::kInvalidArgument,
                "temperature " + std::to_string(options.temperature) + " is not within 0 to 100");
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return fail(ErrorCode::kInvalidArgument,
                "top_p " + std::to_string(options.top_p) + " is not above 0 and at most 1");
  }
  return Sampler(options);
}

Result<TokenId> Sampler::sample(std::span<const float> logits) {
  if (logits.empty()) return fail(ErrorCode::kInvalidArgument, "no logits to choose from");
  std::size_t best = 0;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    if (!std::isfinite(logits[token])) {
      return fail(ErrorCode::kNumeric,
                  "the logit of token " + std::to_string(token) + " is " +
                      std::to_string(logits[token]) +
                      ": the model file is damaged or a kernel is wrong");
    }
    if (logits[token] > logits[best]) best = token;
  }
  if (options_.temperature == 0) return static_cast<TokenId>(best);

  candidates_.clear();
  // Below this, a token's probability is less than 2^-60 of the best one's: it cannot be drawn.
  const float least = logits[best] - 42 * options_.temperature;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    if (logits[token] >= least) {
      candidates_.push_back({static_cast<TokenId>(token), logits[token]});
    }
  }
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  });
  const auto probability = [&](const Candidate& candidate) {  // not normalized
    return std::exp((double{candidate.logit} - logits[best]) / options_.temperature);
  };
  double total = 0;
  for (const Candidate& candidate : candidates_)
    total += probability(candidate);
  double kept = 0;
  std::size_t n_kept = 0;
  while (n_kept < candidates_.size() && (n_kept == 0 || kept < options_.top_p * total)) {
    kept += probability(candidates_[n_kept++]);
  }
  // 53 random bits: the standard distributions differ between libraries.
  double point = static_cast<double>(random_() >> 11) * 0x1p-53 * kept;
  for (std::size_t i = 0; i + 1 < n_kept; ++i) {
    point -= probability(candidates_[i]);
    if (point < 0) return candidates_[i].token;
  }
  return candidates_[n_kept - 1].token;
}

}  // namespace kinglet::inference
