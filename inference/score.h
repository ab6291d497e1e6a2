// How likely a model finds a text: what perplexity and bits per byte are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "daemon/base/result.h"
#include "inference/backend.h"

namespace kinglet::inference {

/// Gets a token's index and the logits (n_vocabulary) that it was chosen from.
using VisitLogits = std::function<void(std::size_t index, std::span<const float> logits)>;

/// Calls `visit` for tokens[n_given] and each after it, in order. Computed in a sequence of its own
/// that is as long as the tokens, so the rope factors are those of their number. Memory: the logits
/// of a few positions. Errors: kInvalidArgument unless 1 <= n_given < tokens.size(), and those of
/// Executor::new_sequence() and forward().
Result<void> visit_logits(Executor& executor,
                          std::span<const TokenId> tokens,
                          std::size_t n_given,
                          const VisitLogits& visit,
                          const std::stop_token& stop = {});

/// log2 of the sum of exp(logits).
double log2_sum_exp(std::span<const float> logits);

/// One token, given all before it.
struct TokenScore {
  double bits = 0;         ///< -log2 of its probability
  std::uint32_t rank = 0;  ///< tokens that were likelier
};

/// The scores of tokens[n_given] and all after it. Errors: those of visit_logits(), and kNumeric
/// for logits that are not numbers.
Result<std::vector<TokenScore>> score(Executor& executor,
                                      std::span<const TokenId> tokens,
                                      std::size_t n_given,
                                      const std::stop_token& stop = {});

}  // namespace kinglet::inference
