// What Executor does for every backend, seen through one that computes nothing.
#include "inference/backend.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/inference/conformance.h"

namespace kinglet::test {

using inference::Batch;
using inference::ExecutorInfo;
using inference::kPageTokens;
using inference::LogitsWanted;
using inference::PageCopy;
using inference::RopeFactorSet;
using inference::Sequence;
using inference::TokenId;

namespace {

/// Writes each token's position as its logits.
class ScriptedExecutor final : public inference::Executor {
 public:
  explicit ScriptedExecutor(const LoadedModel& loaded,
                            std::uint32_t chunk_tokens = 8,
                            std::uint32_t n_kv_tokens = 1024)
      : Executor(loaded.model, info_of(chunk_tokens), n_kv_tokens) {}

  struct Call {
    std::uint32_t position;
    std::size_t n_tokens;
    std::size_t n_logits;
    bool operator==(const Call&) const = default;
  };
  std::vector<Call> calls;
  std::vector<PageCopy> copies;
  std::vector<std::uint32_t> rope_positions;
  std::function<Result<void>(const Batch&)> on_run;
  bool copies_fail = false;

 private:
  static ExecutorInfo info_of(std::uint32_t chunk_tokens) {
    ExecutorInfo info;
    info.backend = "scripted";
    info.chunk_tokens = chunk_tokens;
    return info;
  }

  Result<void> prepare_rope(RopeFactorSet, std::uint32_t n_positions) override {
    rope_positions.push_back(n_positions);
    return {};
  }
  Result<void> place_adapters(const inference::Adapters&) override { return {}; }
  Result<void> copy_page(const PageCopy& copy) override {
    if (copies_fail) return fail(ErrorCode::kDeviceLost, "copy");
    copies.push_back(copy);
    return {};
  }
  Result<void> run(const Batch& batch) override {
    const std::size_t n_vocabulary = model().hyper_parameters().n_vocabulary;
    const std::size_t n_logits = batch.logits.size() / n_vocabulary;
    std::vector<std::uint32_t> positions;
    for (const inference::Segment& segment : batch.segments) {
      for (std::uint32_t i = 0; i < segment.n_tokens; ++i)
        positions.push_back(segment.position + i);
      CHECK(segment.pages.size() >= inference::pages_for(segment.position + segment.n_tokens));
    }
    for (std::size_t row = 0; row < n_logits; ++row) {
      const std::size_t position = positions[batch.tokens.size() - n_logits + row];
      for (float& logit : batch.logits.subspan(row * n_vocabulary, n_vocabulary)) {
        logit = static_cast<float>(position);
      }
    }
    if (on_run) {
      if (Result<void> result = on_run(batch); !result) return result;
    }
    CHECK(positions.size() == batch.tokens.size());
    calls.push_back({positions.front(), batch.tokens.size(), n_logits});
    return {};
  }
};

const LoadedModel& tiny_model() {
  static const LoadedModel kModel = load_synthetic(
      {.hidden = 32, .layers = 1, .heads = 2, .kv_heads = 1, .ffn = 32, .vocab = 265});
  return kModel;
}

Sequence new_sequence(inference::Executor& executor, std::uint32_t max_tokens = 512) {
  auto sequence = executor.new_sequence({.max_tokens = max_tokens});
  REQUIRE(sequence.has_value());
  return std::move(*sequence);
}

std::vector<TokenId> tokens(std::size_t n) {
  return random_tokens(n, 265, 1);
}

}  // namespace

TEST_SUITE("inference/backend") {
  TEST_CASE("tokens are computed in chunks, logits only where they are wanted") {
    using Calls = std::vector<ScriptedExecutor::Call>;
    ScriptedExecutor executor(tiny_model());
    Sequence sequence = new_sequence(executor);
    CHECK(executor.rope_positions == std::vector<std::uint32_t>{512});

    REQUIRE(executor.forward(sequence, tokens(20), LogitsWanted::kNone, {}).has_value());
    CHECK(executor.calls == Calls{{0, 8, 0}, {8, 8, 0}, {16, 4, 0}});
    CHECK(sequence.n_tokens() == 20);

    executor.calls.clear();
    std::vector<float> last(265);
    REQUIRE(executor.forward(sequence, tokens(9), LogitsWanted::kLast, last).has_value());
    CHECK(executor.calls == Calls{{20, 8, 0}, {28, 1, 1}});
    CHECK(last == std::vector<float>(265, 28.0F));

    executor.calls.clear();
    std::vector<float> all(std::size_t{10} * 265);
    REQUIRE(executor.forward(sequence, tokens(10), LogitsWanted::kAll, all).has_value());
    CHECK(executor.calls == Calls{{29, 8, 8}, {37, 2, 2}});
    for (std::size_t i = 0; i < 10; ++i)
      CHECK(all[i * 265] == static_cast<float>(29 + i));
  }

  TEST_CASE("wrong arguments are refused before anything is computed") {
    ScriptedExecutor executor(tiny_model());
    Sequence sequence = new_sequence(executor, 10);
    std::vector<float> logits(265);
    const auto error = [&](std::span<const TokenId> given, std::span<float> out) {
      const auto result = executor.forward(sequence, given, LogitsWanted::kLast, out);
      REQUIRE(!result.has_value());
      CHECK(result.error().code == ErrorCode::kInvalidArgument);
      return result.error().message;
    };
    CHECK(error({}, logits) == "no tokens to compute");
    CHECK(error(tokens(11), logits) == "11 tokens after 0: the sequence holds at most 10");
    CHECK(error(std::vector<TokenId>{1, 265}, logits) ==
          "token 265 is not in the model's vocabulary of 265");
    CHECK(error(std::vector<TokenId>{-1}, logits) ==
          "token -1 is not in the model's vocabulary of 265");
    CHECK(error(tokens(2), std::span(logits).first(264)) ==
          "logits: room for 264 values, 265 wanted");
    CHECK(executor.calls.empty());
    CHECK(sequence.n_tokens() == 0);
  }

  TEST_CASE("sequences longer than the model or the cache are refused") {
    ScriptedExecutor executor(tiny_model(), 8, 100);
    for (const std::uint32_t n : {0U, 2049U, 129U}) {
      const auto result = executor.new_sequence({.max_tokens = n});
      REQUIRE(!result.has_value());
      CHECK(result.error().code == ErrorCode::kInvalidArgument);
    }
    CHECK(executor.new_sequence({.max_tokens = 128}).has_value());
  }

  TEST_CASE("a cancelled forward keeps its finished chunks and no more") {
    ScriptedExecutor executor(tiny_model());
    Sequence sequence = new_sequence(executor);
    std::stop_source stop;
    executor.on_run = [&](const Batch& batch) -> Result<void> {
      if (batch.segments[0].position == 16) stop.request_stop();
      return {};
    };
    const auto result =
        executor.forward(sequence, tokens(64), LogitsWanted::kNone, {}, stop.get_token());
    REQUIRE(!result.has_value());
    CHECK(result.error().code == ErrorCode::kCancelled);
    CHECK(sequence.n_tokens() == 24);
    CHECK(executor.n_free_pages() == executor.n_pages() - 1);
    // It goes on from there.
    REQUIRE(executor.forward(sequence, tokens(40), LogitsWanted::kNone, {}).has_value());
    CHECK(sequence.n_tokens() == 64);
  }

  TEST_CASE("a failed chunk leaves no trace") {
    ScriptedExecutor executor(tiny_model());
    Sequence sequence = new_sequence(executor);
    executor.on_run = [&](const Batch& batch) -> Result<void> {
      if (batch.segments[0].position == 32) return fail(ErrorCode::kDeviceLost, "gone");
      return {};
    };
    const auto result = executor.forward(sequence, tokens(64), LogitsWanted::kNone, {});
    REQUIRE(!result.has_value());
    CHECK(result.error().code == ErrorCode::kDeviceLost);
    CHECK(sequence.n_tokens() == 32);
    CHECK(executor.n_free_pages() == executor.n_pages() - 1);
  }

  TEST_CASE("appending to a fork copies the page it shares, once") {
    ScriptedExecutor executor(tiny_model());
    Sequence origin = new_sequence(executor);
    REQUIRE(executor.forward(origin, tokens(40), LogitsWanted::kNone, {}).has_value());
    Sequence fork = executor.fork(origin, 36);
    CHECK(fork.n_tokens() == 36);
    CHECK(fork.max_tokens() == origin.max_tokens());
    REQUIRE(executor.forward(fork, tokens(20), LogitsWanted::kNone, {}).has_value());
    REQUIRE(executor.copies.size() == 1);
    CHECK(executor.copies[0].n_tokens == 4);
    REQUIRE(executor.forward(origin, tokens(1), LogitsWanted::kNone, {}).has_value());
    CHECK(executor.copies.size() == 1);
  }

  TEST_CASE("a fork whose page could not be copied forgets that page") {
    ScriptedExecutor executor(tiny_model());
    Sequence origin = new_sequence(executor);
    REQUIRE(executor.forward(origin, tokens(40), LogitsWanted::kNone, {}).has_value());
    Sequence fork = executor.fork(origin, 36);
    executor.copies_fail = true;
    REQUIRE(!executor.forward(fork, tokens(1), LogitsWanted::kNone, {}).has_value());
    CHECK(fork.n_tokens() == kPageTokens);
    CHECK(origin.n_tokens() == 40);
  }

  TEST_CASE("a full cache is a clear error, and a freed one works again") {
    ScriptedExecutor executor(tiny_model(), 8, 64);
    Sequence first = new_sequence(executor, 64);
    REQUIRE(executor.forward(first, tokens(40), LogitsWanted::kNone, {}).has_value());
    Sequence second = new_sequence(executor, 64);
    const auto result = executor.forward(second, tokens(8), LogitsWanted::kNone, {});
    REQUIRE(!result.has_value());
    CHECK(result.error().code == ErrorCode::kOutOfMemory);
    CHECK(result.error().message.find("KV cache: 1 pages") == 0);
    executor.truncate(first, 0);
    CHECK(executor.forward(second, tokens(8), LogitsWanted::kNone, {}).has_value());
  }

  TEST_CASE("tokens of several sequences are one pass, and none has gained one when it fails") {
    ScriptedExecutor executor(tiny_model(), 8, 32 * 5);
    Sequence first = new_sequence(executor, 64);
    REQUIRE(executor.forward(first, tokens(40), LogitsWanted::kNone, {}).has_value());
    Sequence second = executor.fork(first, 40);
    Sequence third = new_sequence(executor, 64);
    std::vector<Sequence*> all = {&first, &second, &third};
    std::vector<float> logits(std::size_t{3} * 265);
    executor.calls.clear();
    REQUIRE(executor.forward_each(all, tokens(3), logits).has_value());
    CHECK(executor.calls == std::vector<ScriptedExecutor::Call>{{40, 3, 3}});
    CHECK(logits[0] == 40);
    CHECK(logits[265] == 40);
    CHECK(logits[530] == 0);
    // The page they shared was copied for one of the two.
    REQUIRE(executor.copies.size() == 1);
    CHECK(first.n_tokens() == 41);
    CHECK(second.n_tokens() == 41);
    CHECK(third.n_tokens() == 1);

    executor.on_run = [&](const Batch&) -> Result<void> {
      return fail(ErrorCode::kCancelled, "stop");
    };
    REQUIRE(!executor.forward_each(all, tokens(3), logits).has_value());
    CHECK(first.n_tokens() == 41);
    CHECK(third.n_tokens() == 1);
    executor.on_run = {};

    // Pages for one of two that want one.
    Sequence fourth = new_sequence(executor, 64);
    Sequence fifth = new_sequence(executor, 64);
    REQUIRE(executor.n_free_pages() == 1);
    const auto full = executor.forward_each(
        std::vector<Sequence*>{&fourth, &fifth}, tokens(2), std::span(logits).first(530));
    REQUIRE(!full.has_value());
    CHECK(full.error().code == ErrorCode::kOutOfMemory);
    CHECK(executor.n_free_pages() == 1);
    CHECK(fourth.n_tokens() == 0);
  }

  TEST_CASE("sequences that do not go together are refused") {
    ScriptedExecutor executor(tiny_model(), 4);
    std::vector<Sequence> sequences;
    for (int i = 0; i < 5; ++i)
      sequences.push_back(new_sequence(executor));
    std::vector<float> logits(std::size_t{5} * 265);
    const auto error = [&](const std::vector<Sequence*>& given, std::size_t n_tokens) {
      const auto result = executor.forward_each(
          given, tokens(n_tokens), std::span(logits).first(given.size() * 265));
      REQUIRE(!result.has_value());
      CHECK(result.error().code == ErrorCode::kInvalidArgument);
      return result.error().message;
    };
    Sequence* const one = &sequences[0];
    CHECK(error({}, 0) == "0 tokens for 0 sequences: one for each of at most 4");
    CHECK(error({one}, 2) == "2 tokens for 1 sequences: one for each of at most 4");
    CHECK(error({one, &sequences[1], &sequences[2], &sequences[3], &sequences[4]}, 5) ==
          "5 tokens for 5 sequences: one for each of at most 4");
    CHECK(error({one, &sequences[1], one}, 3) == "one sequence twice in one pass");
    auto other = executor.new_sequence({.max_tokens = 8, .rope_factor_set = RopeFactorSet::kLong});
    REQUIRE(other.has_value());
    CHECK(error({one, &*other}, 2) ==
          "sequences with short and with long rope factors in one pass");
  }

  TEST_CASE("greedy decoding by default is a pass a token") {
    ScriptedExecutor executor(tiny_model());
    Sequence sequence = new_sequence(executor, 12);
    REQUIRE(executor.forward(sequence, tokens(10), LogitsWanted::kNone, {}).has_value());
    executor.on_run = [&](const Batch& batch) -> Result<void> {
      batch.logits[7] = batch.logits[200] = 1e9F;
      return {};
    };
    std::vector<TokenId> next(5, -1);
    const auto n = executor.decode_greedy(sequence, 3, next);
    REQUIRE(n.has_value());
    CHECK(*n == 1);
    CHECK(next[0] == 7);
    CHECK(sequence.n_tokens() == 11);
    REQUIRE(executor.decode_greedy(sequence, next[0], next).has_value());
    const auto beyond = executor.decode_greedy(sequence, next[0], next);
    REQUIRE(!beyond.has_value());
    CHECK(beyond.error().message == "1 tokens after 12: the sequence holds at most 12");
    executor.truncate(sequence, 4);
    CHECK(executor.decode_greedy(sequence, 3, {}).error().code == ErrorCode::kInvalidArgument);
    executor.on_run = [&](const Batch& batch) -> Result<void> {
      batch.logits[7] = std::numeric_limits<float>::quiet_NaN();
      return {};
    };
    CHECK(executor.decode_greedy(sequence, 3, next).error().code == ErrorCode::kNumeric);
  }
}

}  // namespace kinglet::test
