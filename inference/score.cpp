#include "inference/score.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace kinglet::inference {

namespace {

// Logits of so many positions at once: a vocabulary of 150,000 takes 20 MB then.
constexpr std::size_t kMaxChunk = 32;

}  // namespace

Result<void> visit_logits(Executor& executor,
                          std::span<const TokenId> tokens,
                          std::size_t n_given,
                          const VisitLogits& visit,
                          const std::stop_token& stop) {
  if (n_given == 0 || n_given >= tokens.size()) {
    return fail(ErrorCode::kInvalidArgument,
                std::to_string(n_given) + " of " + std::to_string(tokens.size()) +
                    " tokens given; at least one must be, and one must be left");
  }
  Sequence sequence =
      TRY(executor.new_sequence({.max_tokens = static_cast<std::uint32_t>(tokens.size())}));
  // The logits after a token are those of the next: the last given one speaks of the first visited.
  if (n_given > 1) {
    TRY(executor.forward(sequence, tokens.first(n_given - 1), LogitsWanted::kNone, {}, stop));
  }
  const std::size_t n_vocabulary = executor.model().hyper_parameters().n_vocabulary;
  std::vector<float> logits;
  for (std::size_t at = n_given - 1; at + 1 < tokens.size();) {
    const std::size_t n = std::min(kMaxChunk, tokens.size() - 1 - at);
    logits.resize(n * n_vocabulary);
    TRY(executor.forward(sequence, tokens.subspan(at, n), LogitsWanted::kAll, logits, stop));
    for (std::size_t i = 0; i < n; ++i)
      visit(at + i + 1, std::span(logits).subspan(i * n_vocabulary, n_vocabulary));
    at += n;
  }
  return {};
}

double log2_sum_exp(std::span<const float> logits) {
  const auto greatest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<double>(logit) - greatest);
  return (std::log(sum) + greatest) / std::numbers::ln2;
}

Result<std::vector<TokenScore>> score(Executor& executor,
                                      std::span<const TokenId> tokens,
                                      std::size_t n_given,
                                      const std::stop_token& stop) {
  std::vector<TokenScore> scores;
  bool is_finite = true;
  const auto add = [&](std::size_t index, std::span<const float> logits) {
    const float own = logits[static_cast<std::size_t>(tokens[index])];
    TokenScore& one = scores.emplace_back();
    one.bits = log2_sum_exp(logits) - static_cast<double>(own) / std::numbers::ln2;
    one.rank = static_cast<std::uint32_t>(
        std::count_if(logits.begin(), logits.end(), [&](float logit) { return logit > own; }));
    is_finite = is_finite && std::isfinite(one.bits);
  };
  TRY(visit_logits(executor, tokens, n_given, add, stop));
  if (!is_finite) {
    return fail(ErrorCode::kNumeric,
                "a logit is not a number: the model file is damaged, or a kernel is wrong");
  }
  return scores;
}

}  // namespace kinglet::inference
