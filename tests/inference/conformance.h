// What every backend must show against the float64 reference (DESIGN.md, precision classes). The
// measuring is here, free of any test framework and backend; each backend's test states its limits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/backend.h"
#include "tests/inference/reference_model.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::test {

/// A synthetic model in memory, as the engine and as the reference see it.
struct LoadedModel {
  std::vector<std::byte> bytes;  // the model's weights point into it
  std::shared_ptr<const inference::Model> model;
  std::unique_ptr<const ReferenceModel> reference;
};

/// Throws std::runtime_error when it does not load.
LoadedModel load_synthetic(const SyntheticModel& shape);
/// The same of a file that was changed after it was made.
LoadedModel load_gguf(const GgufWriter& writer);

std::vector<inference::TokenId> random_tokens(std::size_t n,
                                              std::uint32_t n_vocabulary,
                                              std::uint32_t seed);

/// An executor of a backend; throws std::runtime_error when there is none.
std::unique_ptr<inference::Executor> make_executor(std::string_view backend,
                                                   const LoadedModel& model,
                                                   const inference::ExecutorOptions& options);

/// Logits after each token, computed by calls of forward() with `step` tokens each (0: one call).
std::vector<float> all_logits(inference::Executor& executor,
                              std::span<const inference::TokenId> tokens,
                              std::uint32_t max_tokens,
                              std::uint32_t step = 0);

/// max |actual - expected| / standard deviation of expected. NaN when a number is one.
double logits_error(std::span<const float> actual,
                    const std::vector<std::vector<double>>& expected);

/// Kullback-Leibler divergence in nats of the actual distributions from the expected ones, the mean
/// over positions. NaN when a number is one.
double mean_divergence(std::span<const float> actual,
                       const std::vector<std::vector<double>>& expected);

/// `n` tokens after the prompt, always the likeliest; the prompt in calls of `step` tokens.
std::vector<inference::TokenId> greedy_text(inference::Executor& executor,
                                            std::span<const inference::TokenId> prompt,
                                            std::uint32_t n,
                                            std::uint32_t step = 0);

/// Where two greedy texts of one prompt part.
struct Difference {
  bool found = false;
  std::size_t at = 0;        ///< first different token
  double reference_gap = 0;  ///< the reference's best logit less its second, in standard deviations
};
Difference first_difference(const ReferenceModel& reference,
                            std::span<const inference::TokenId> prompt,
                            std::span<const inference::TokenId> a,
                            std::span<const inference::TokenId> b);

}  // namespace kinglet::test
