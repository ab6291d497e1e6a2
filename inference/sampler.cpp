#include "inference/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace kinglet::inference {

namespace {

/// `text` says which values there are: "within 0 to 1".
tl::unexpected<Error> out_of_range(const char* option, float value, const char* text) {
  return fail(ErrorCode::kInvalidArgument,
              std::string(option) + " " + std::to_string(value) + " is not " + text);
}

Result<void> check(std::span<const float> logits) {
  if (logits.empty()) return fail(ErrorCode::kInvalidArgument, "no logits to choose from");
  for (std::size_t token = 0; token < logits.size(); ++token) {
    if (!std::isfinite(logits[token])) {
      return fail(ErrorCode::kNumeric,
                  "the logit of token " + std::to_string(token) + " is " +
                      std::to_string(logits[token]) +
                      ": the model file is damaged or a kernel is wrong");
    }
  }
  return {};
}

}  // namespace

Result<TokenId> likeliest(std::span<const float> logits) {
  TRY(check(logits));
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Result<Sampler> Sampler::create(const SamplerOptions& options) {
  // Written so that NaN is out of range, too.
  const auto within = [](float value, float least, float most) {
    return value >= least && value <= most;
  };
  if (!within(options.temperature, 0, 100)) {
    return out_of_range("temperature", options.temperature, "within 0 to 100");
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return out_of_range("top_p", options.top_p, "above 0 and at most 1");
  }
  if (!within(options.min_p, 0, 1)) return out_of_range("min_p", options.min_p, "within 0 to 1");
  if (!within(options.repetition_penalty, 0.1F, 10)) {
    return out_of_range("repetition_penalty", options.repetition_penalty, "within 0.1 to 10");
  }
  if (!within(options.presence_penalty, -10, 10)) {
    return out_of_range("presence_penalty", options.presence_penalty, "within -10 to 10");
  }
  if (!within(options.frequency_penalty, -10, 10)) {
    return out_of_range("frequency_penalty", options.frequency_penalty, "within -10 to 10");
  }
  if (options.penalty_tokens > 65536) {
    return fail(ErrorCode::kInvalidArgument,
                "penalty_tokens " + std::to_string(options.penalty_tokens) + " is more than 65536");
  }
  return Sampler(options);
}

bool Sampler::has_penalties() const {
  return options_.penalty_tokens > 0 &&
         (options_.repetition_penalty != 1 || options_.presence_penalty != 0 ||
          options_.frequency_penalty != 0);
}

void Sampler::accept(TokenId token) {
  if (!has_penalties()) return;
  if (history_.size() < options_.penalty_tokens) {
    history_.push_back(token);
  } else {
    TokenId& oldest = history_[n_accepted_ % history_.size()];
    const auto counted = counts_.find(oldest);
    if (--counted->second == 0) counts_.erase(counted);
    oldest = token;
  }
  ++n_accepted_;
  ++counts_[token];
}

std::span<const float> Sampler::penalized(std::span<const float> logits) {
  if (!has_penalties()) return logits;
  penalized_.assign(logits.begin(), logits.end());
  for (const auto& [token, count] : counts_) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) continue;
    float& logit = penalized_[static_cast<std::size_t>(token)];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    logit -= options_.presence_penalty + static_cast<float>(count) * options_.frequency_penalty;
  }
  return penalized_;
}

Result<TokenId> Sampler::sample(std::span<const float> logits, const TokenMask* allowed) {
  TRY(check(logits));
  const std::span<const float> values = penalized(logits);
  const auto takes_part = [&](std::size_t token) {
    return allowed == nullptr || allowed->allows(static_cast<TokenId>(token));
  };
  std::size_t best = logits.size();
  for (std::size_t token = 0; token < values.size(); ++token) {
    if ((best == logits.size() || values[token] > values[best]) && takes_part(token)) best = token;
  }
  if (best == logits.size()) return fail(ErrorCode::kInvalidArgument, "no token is allowed");
  if (options_.temperature == 0) return static_cast<TokenId>(best);

  candidates_.clear();
  // Below this, a token's probability is less than 2^-60 of the best one's: it cannot be drawn.
  const float least = values[best] - 42 * options_.temperature;
  for (std::size_t token = 0; token < values.size(); ++token) {
    if (values[token] >= least && takes_part(token)) {
      candidates_.push_back({static_cast<TokenId>(token), values[token]});
    }
  }
  return draw();
}

TokenId Sampler::draw() {
  // A heap, because of a whole vocabulary few tokens are looked at.
  const auto less_probable = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit < b.logit : a.token > b.token;
  };
  auto rest = candidates_.end();
  std::make_heap(candidates_.begin(), rest, less_probable);
  const double best = candidates_.front().logit;
  const auto probability = [&](const Candidate& candidate) {  // not normalized
    return std::exp((double{candidate.logit} - best) / options_.temperature);
  };
  const auto next = [&]() -> const Candidate& {  // the most probable of the rest
    std::pop_heap(candidates_.begin(), rest, less_probable);
    return *--rest;
  };
  double total = 0;
  for (const Candidate& candidate : candidates_)
    total += probability(candidate);

  std::size_t most = candidates_.size();
  if (options_.top_k > 0) most = std::min<std::size_t>(most, options_.top_k);
  if (options_.min_p > 0) {
    const double least = options_.min_p;
    const auto is_kept = [&](const Candidate& c) { return probability(c) >= least; };
    const auto n = std::count_if(candidates_.begin(), candidates_.end(), is_kept);
    most = std::clamp<std::size_t>(static_cast<std::size_t>(n), 1, most);
  }
  // What is kept lies, most probable first, from the end backwards.
  double kept = total;
  std::size_t n_kept = candidates_.size();
  if (options_.top_p < 1 || most < candidates_.size()) {
    kept = 0;
    for (n_kept = 0; n_kept < most && (n_kept == 0 || kept < options_.top_p * total); ++n_kept)
      kept += probability(next());
  }
  const auto n_sorted = static_cast<std::size_t>(candidates_.end() - rest);
  // 53 random bits: the standard distributions differ between libraries.
  double point = static_cast<double>(random_() >> 11) * 0x1p-53 * kept;
  for (std::size_t i = 0; i + 1 < n_kept; ++i) {
    const Candidate& candidate = i < n_sorted ? candidates_[candidates_.size() - 1 - i] : next();
    point -= probability(candidate);
    if (point < 0) return candidate.token;
  }
  return n_kept <= n_sorted ? candidates_[candidates_.size() - n_kept].token : next().token;
}

}  // namespace kinglet::inference
