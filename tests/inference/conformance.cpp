#include "tests/inference/conformance.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "inference/gguf.h"

namespace kinglet::test {

namespace {

using inference::LogitsWanted;
using inference::TokenId;

template <class T>
T value_of(Result<T>&& result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// log Σ e^x
double log_of_total(const std::vector<double>& logits) {
  const double greatest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const double x : logits)
    total += std::exp(x - greatest);
  return greatest + std::log(total);
}

double deviation(const std::vector<std::vector<double>>& rows) {
  double sum = 0;
  double squares = 0;
  double n = 0;
  for (const auto& row : rows) {
    for (const double x : row) {
      sum += x;
      squares += x * x;
      ++n;
    }
  }
  return std::sqrt(squares / n - sum / n * (sum / n));
}

}  // namespace

LoadedModel load_gguf(const GgufWriter& writer) {
  LoadedModel loaded;
  loaded.bytes = writer.bytes();
  inference::Gguf gguf = value_of(inference::Gguf::parse(loaded.bytes, "synthetic.gguf"));
  loaded.reference = std::make_unique<const ReferenceModel>(gguf);
  loaded.model = value_of(inference::Model::from_gguf(std::move(gguf)));
  return loaded;
}

LoadedModel load_synthetic(const SyntheticModel& shape) {
  return load_gguf(synthetic_gguf(shape));
}

std::vector<TokenId> random_tokens(std::size_t n, std::uint32_t n_vocabulary, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens(n);
  for (TokenId& token : tokens)
    token = static_cast<TokenId>(random() % n_vocabulary);
  return tokens;
}

std::unique_ptr<inference::Executor> make_executor(std::string_view backend,
                                                   const LoadedModel& model,
                                                   const inference::ExecutorOptions& options) {
  const inference::Backend* found = inference::find_backend(backend);
  if (found == nullptr) throw std::runtime_error("no backend " + std::string(backend));
  return value_of(found->create(model.model, options));
}

std::vector<float> all_logits(inference::Executor& executor,
                              std::span<const TokenId> tokens,
                              std::uint32_t max_tokens,
                              std::uint32_t step) {
  const std::size_t n_vocabulary = executor.model().hyper_parameters().n_vocabulary;
  inference::Sequence sequence = value_of(executor.new_sequence({.max_tokens = max_tokens}));
  std::vector<float> logits(tokens.size() * n_vocabulary);
  if (step == 0) step = static_cast<std::uint32_t>(tokens.size());
  for (std::size_t at = 0; at < tokens.size(); at += step) {
    const auto part = tokens.subspan(at, std::min<std::size_t>(step, tokens.size() - at));
    const auto rows = std::span(logits).subspan(at * n_vocabulary, part.size() * n_vocabulary);
    value_of(executor.forward(sequence, part, LogitsWanted::kAll, rows));
  }
  return logits;
}

double logits_error(std::span<const float> actual,
                    const std::vector<std::vector<double>>& expected) {
  double greatest = 0;
  std::size_t i = 0;
  for (const auto& row : expected) {
    for (const double x : row) {
      if (i >= actual.size()) throw std::runtime_error("too few logits");
      const double difference = std::fabs(actual[i++] - x);
      if (!(difference <= greatest)) greatest = difference;
    }
  }
  if (i != actual.size()) throw std::runtime_error("too many logits");
  return greatest / deviation(expected);
}

double mean_divergence(std::span<const float> actual,
                       const std::vector<std::vector<double>>& expected) {
  double sum = 0;
  for (std::size_t position = 0; position < expected.size(); ++position) {
    const std::vector<double>& row = expected[position];
    const auto given = actual.subspan(position * row.size(), row.size());
    const double row_total = log_of_total(row);
    const double given_total = log_of_total({given.begin(), given.end()});
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double log_wanted = row[i] - row_total;
      sum += std::exp(log_wanted) * (log_wanted - (given[i] - given_total));
    }
  }
  return sum / static_cast<double>(expected.size());
}

std::vector<TokenId> greedy_text(inference::Executor& executor,
                                 std::span<const TokenId> prompt,
                                 std::uint32_t n,
                                 std::uint32_t step) {
  const auto n_total = static_cast<std::uint32_t>(prompt.size()) + n;
  inference::Sequence sequence = value_of(executor.new_sequence({.max_tokens = n_total}));
  std::vector<float> logits(executor.model().hyper_parameters().n_vocabulary);
  if (step == 0) step = n_total;
  for (std::size_t at = 0; at < prompt.size(); at += step) {
    const auto part = prompt.subspan(at, std::min<std::size_t>(step, prompt.size() - at));
    value_of(executor.forward(sequence, part, LogitsWanted::kLast, logits));
  }
  std::vector<TokenId> text;
  while (true) {
    const auto best = std::max_element(logits.begin(), logits.end());
    text.push_back(static_cast<TokenId>(best - logits.begin()));
    if (text.size() == n) return text;
    value_of(executor.forward(sequence, std::span(&text.back(), 1), LogitsWanted::kLast, logits));
  }
}

Difference first_difference(const ReferenceModel& reference,
                            std::span<const TokenId> prompt,
                            std::span<const TokenId> a,
                            std::span<const TokenId> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (end == a.end() && other == b.end()) return {};
  Difference difference{.found = true, .at = static_cast<std::size_t>(end - a.begin())};
  std::vector<TokenId> tokens(prompt.begin(), prompt.end());
  tokens.insert(tokens.end(), a.begin(), end);
  const auto max_tokens = static_cast<std::uint32_t>(prompt.size() + a.size());
  const auto logits = reference.logits(tokens, max_tokens);
  std::vector<double> last = logits.back();
  std::partial_sort(last.begin(), last.begin() + 2, last.end(), std::greater<>());
  difference.reference_gap = (last[0] - last[1]) / deviation(logits);
  return difference;
}

}  // namespace kinglet::test
