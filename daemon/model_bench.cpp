#include "daemon/model_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "daemon/base/cpu_time.h"
#include "inference/pass_cost.h"

namespace kinglet::daemon {

namespace {

using inference::LogitsWanted;
using inference::PassCost;
using inference::Sequence;
using inference::TokenId;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMaxRounds = 9;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string about(double seconds) {
  return "about " + std::to_string(std::lround(seconds)) + " s";
}

class Bench {
 public:
  Bench(inference::Executor& executor,
        const inference::DeviceLimits& limits,
        const BenchOptions& options,
        const std::stop_token& stop)
      : executor_(executor),
        limits_(limits),
        options_(options),
        stop_(stop),
        logits_(executor.model().hyper_parameters().n_vocabulary) {}

  Result<std::vector<BenchRow>> run() {
    for (const std::uint32_t n : options_.prefills)
      TRY(prefill(n));
    for (const std::uint32_t depth : options_.depths)
      TRY(decode(depth));
    return std::move(rows_);
  }

 private:
  std::uint64_t context() const {
    return options_.beyond_context ? std::numeric_limits<std::uint64_t>::max()
                                   : executor_.model().hyper_parameters().context_length;
  }
  bool is_beyond_context(std::uint64_t n_tokens) const {
    return n_tokens > executor_.model().hyper_parameters().context_length;
  }
  Result<Sequence> new_sequence(std::uint32_t max_tokens) {
    return executor_.new_sequence(
        {.max_tokens = max_tokens, .beyond_context = options_.beyond_context});
  }

  /// Why there is no room for so many tokens; empty: there is.
  std::string too_long(std::uint64_t n_tokens) const {
    if (n_tokens > context()) return "more than the context holds";
    const std::uint64_t n_cached = std::uint64_t{executor_.n_pages()} * inference::kPageTokens;
    return n_tokens > n_cached ? "more than the cache holds" : "";
  }

  /// Tokens of no text: what a pass costs does not depend on which they are.
  std::vector<TokenId> tokens(std::uint32_t n) {
    std::vector<TokenId> result(n);
    for (TokenId& token : result) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      token = static_cast<TokenId>((state_ >> 33) % logits_.size());
    }
    return result;
  }

  Result<double> timed(Sequence& sequence, std::uint32_t n) {
    const std::vector<TokenId> next = tokens(n);
    const auto start = Clock::now();
    TRY(executor_.forward(sequence, next, LogitsWanted::kLast, logits_, stop_));
    return seconds_since(start);
  }

  /// Greedily, as the engine decodes where nothing constrains it.
  Result<double> timed_decode(Sequence& sequence) {
    std::vector<TokenId> next(options_.n_decoded);
    TokenId token = tokens(1).front();
    std::uint32_t done = 0;
    const double cpu_start = thread_seconds();
    const auto start = Clock::now();
    while (done < next.size()) {
      done += TRY(executor_.decode_greedy(sequence, token, std::span(next).subspan(done), stop_));
      token = next[done - 1];
    }
    const double seconds = seconds_since(start);
    cpu_seconds_.push_back((thread_seconds() - cpu_start) / options_.n_decoded);
    return seconds;
  }

  /// Rounds of `round()` until there are enough or time is up; the first one, which warms up, does
  /// not count unless it was long.
  template <class Round>
  Result<void> measure(BenchRow& row, const Round& round) {
    std::vector<double> seconds;
    const auto start = Clock::now();
    const double warm_up = TRY(round());
    if (warm_up > options_.seconds_per_row / 3) seconds.push_back(warm_up);
    while (seconds.empty() ||
           (seconds.size() < kMaxRounds && seconds_since(start) < options_.seconds_per_row)) {
      seconds.push_back(TRY(round()));
    }
    row.seconds = median(seconds);
    row.n_rounds = static_cast<std::uint32_t>(seconds.size());
    row.pass = executor_.last_pass();
    if (options_.time_kernels && row.pass) {
      executor_.time_kernels(true);
      TRY(round());
      row.pass = executor_.last_pass();
      executor_.time_kernels(false);
    }
    return {};
  }

  PassCost cost(std::uint32_t n_tokens, std::uint32_t depth) const {
    return inference::pass_cost(
        executor_.model(), executor_.info().kv_format, {.n_tokens = n_tokens, .depth = depth});
  }

  /// Of a prompt, from the speed of the longest one so far; 0: nothing is known yet.
  double expected_seconds(std::uint32_t n_tokens) const {
    return prefill_speed_ > 0 ? n_tokens / prefill_speed_ : 0;
  }

  Result<void> prefill(std::uint32_t n) {
    BenchRow row = {.test = BenchTest::kPrefill, .n = n, .beyond_context = is_beyond_context(n)};
    const PassCost cost = this->cost(n, 0);
    row.bytes = cost.bytes();
    row.least_seconds = limits_.least_seconds(cost, limits_.best_flops());
    const double expected = expected_seconds(n);
    if (const std::string why = too_long(n); !why.empty()) {
      row.skipped = why;
    } else if (expected > options_.patience * options_.seconds_per_row) {
      row.skipped = "would take " + about(expected);
    } else {
      const auto round = [&]() -> Result<double> {
        Sequence sequence = TRY(new_sequence(n));
        return timed(sequence, n);
      };
      TRY(measure(row, round));
      prefill_speed_ = row.tokens_per_s();
    }
    return add(std::move(row));
  }

  Result<void> decode(std::uint32_t wished_depth) {
    const std::uint32_t n = options_.n_decoded;
    const std::uint32_t depth =
        wished_depth <= context() && n <= context()
            ? static_cast<std::uint32_t>(std::min<std::uint64_t>(wished_depth, context() - n))
            : wished_depth;
    BenchRow row = {.test = BenchTest::kDecode,
                    .n = n,
                    .depth = depth,
                    .beyond_context = is_beyond_context(std::uint64_t{depth} + n)};
    // In the middle of the tokens: each sees one more.
    const PassCost cost = this->cost(1, depth + n / 2);
    row.bytes = cost.bytes();
    row.least_seconds = n * (limits_.least_seconds(cost, limits_.best_flops()));
    const std::uint32_t n_there = filled_ ? std::min(filled_->n_tokens(), depth) : 0;
    const double expected = expected_seconds(depth - n_there);
    if (const std::string why = too_long(std::uint64_t{depth} + n); !why.empty()) {
      row.skipped = why;
    } else if (expected > options_.patience * options_.seconds_per_row) {
      row.skipped = "filling the cache would take " + about(expected);
    } else {
      TRY(fill(depth));
      const auto round = [&]() -> Result<double> {
        executor_.truncate(*filled_, depth);
        return timed_decode(*filled_);
      };
      cpu_seconds_.clear();
      TRY(measure(row, round));
      if (row.pass) row.cpu_seconds = median(std::move(cpu_seconds_));
    }
    return add(std::move(row));
  }

  /// The deepest position that a test of decoding reaches.
  std::uint32_t deepest() const {
    std::uint32_t most = 0;
    for (const std::uint32_t wished : options_.depths) {
      const std::uint64_t end = std::min(std::uint64_t{wished} + options_.n_decoded, context());
      if (too_long(end).empty()) most = std::max(most, static_cast<std::uint32_t>(end));
    }
    return most;
  }

  /// Makes filled_ that deep, with what it has of a test before.
  Result<void> fill(std::uint32_t depth) {
    if (!filled_) filled_ = TRY(new_sequence(deepest()));
    if (filled_->n_tokens() > depth) executor_.truncate(*filled_, depth);
    if (filled_->n_tokens() < depth) TRY(timed(*filled_, depth - filled_->n_tokens()));
    return {};
  }

  Result<void> add(BenchRow row) {
    options_.on_row(row);
    rows_.push_back(std::move(row));
    return {};
  }

  inference::Executor& executor_;
  const inference::DeviceLimits& limits_;
  const BenchOptions& options_;
  const std::stop_token& stop_;
  std::vector<float> logits_;
  std::uint64_t state_ = 1;
  double prefill_speed_ = 0;         // tokens a second
  std::optional<Sequence> filled_;   // that all tests of decoding continue
  std::vector<double> cpu_seconds_;  // per token, of the rounds of a row
  std::vector<BenchRow> rows_;
};

}  // namespace

std::string_view name_of(BenchTest test) {
  switch (test) {
    case BenchTest::kLoad:
      return "load";
    case BenchTest::kPrefill:
      return "prefill";
    case BenchTest::kDecode:
      break;
  }
  return "decode";
}

double BenchRow::share_of_staged_limit(const inference::DeviceLimits& limits) const {
  if (seconds <= 0 || !pass || test != BenchTest::kDecode) return share_of_limit();
  return (least_seconds + n * pass->n_stages * limits.dispatch_seconds) / seconds;
}

std::uint32_t bench_tokens(const inference::Model& model, const BenchOptions& options) {
  std::uint32_t most = options.n_decoded;
  for (const std::uint32_t n : options.prefills)
    most = std::max(most, n);
  for (const std::uint32_t depth : options.depths)
    most = std::max(most, depth + options.n_decoded);
  return options.beyond_context ? most : std::min(most, model.hyper_parameters().context_length);
}

Result<std::vector<BenchRow>> bench_model(inference::Executor& executor,
                                          const inference::DeviceLimits& limits,
                                          const BenchOptions& options,
                                          const std::stop_token& stop) {
  return Bench(executor, limits, options, stop).run();
}

}  // namespace kinglet::daemon
