// Several continuations of one prompt.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/engine_lab.h"

namespace kinglet::test {

using namespace engine_lab;

TEST_SUITE("inference/engine_candidates") {
  TEST_CASE("candidates share the prompt, and each is what its seed gives alone") {
    // Room for the prompt and few pages besides: three prompts would not fit.
    const auto engine = load({.n_context = 512, .n_kv_tokens = 600});
    GenerateRequest hot = request(prompt_of(400), 10);
    hot.sampler = {.temperature = 1.5F, .seed = 40};
    std::vector<std::vector<TokenId>> streamed(5);
    const auto all = engine->generate_candidates(
        hot, 5, [&](std::uint32_t candidate, TokenId token, std::string_view) {
          streamed.at(candidate).push_back(token);
          return candidate != 3 || streamed[3].size() < 4;
        });
    REQUIRE(all.has_value());
    REQUIRE(all->size() == 5);
    for (std::uint32_t i = 0; i < 5; ++i) {
      INFO(i);
      CHECK((*all)[i].tokens == streamed[i]);
      CHECK((*all)[i].stats.n_reused == (i == 0 ? 0 : 400));
      GenerateRequest alone = hot;
      alone.sampler.seed += i;
      auto expected = generate(*engine, alone).tokens;
      if (i == 3) {
        CHECK((*all)[i].reason == StopReason::kCallback);
        expected.resize(4);
      }
      CHECK(streamed[i] == expected);
    }
    CHECK(streamed[0] != streamed[1]);
    // The first is remembered with what it said.
    const auto again = engine->generate_candidates(hot, 2);
    REQUIRE(again.has_value());
    const auto next = generate(*engine, request(join(hot.prompt, (*again)[0].tokens), 1));
    CHECK(next.stats.n_reused == 409);
  }

  TEST_CASE("more candidates than go on at once come in turns") {
    const auto engine = load({.n_context = 512, .n_kv_tokens = 2048, .chunk_tokens = 8});
    GenerateRequest hot = request(prompt_of(30), 6);
    hot.sampler = {.temperature = 1.5F, .seed = 9};
    std::vector<std::vector<TokenId>> streamed(20);
    std::vector<std::uint32_t> order;
    const auto all = engine->generate_candidates(
        hot, 20, [&](std::uint32_t candidate, TokenId token, std::string_view) {
          streamed.at(candidate).push_back(token);
          order.push_back(candidate);
          return true;
        });
    REQUIRE(all.has_value());
    // The first eight first, token by token.
    REQUIRE(order.size() >= 16);
    for (std::uint32_t i = 0; i < 16; ++i)
      CHECK(order[i] == i % 8);
    for (std::uint32_t i = 0; i < 20; ++i) {
      INFO(i);
      GenerateRequest alone = hot;
      alone.sampler.seed += i;
      CHECK(generate(*engine, alone).tokens == streamed[i]);
    }
    // Cancelled while the first ones run, the others give nothing.
    std::stop_source stop;
    const auto cancelled = engine->generate_candidates(
        hot,
        20,
        [&](std::uint32_t, TokenId, std::string_view) {
          stop.request_stop();
          return true;
        },
        stop.get_token());
    REQUIRE(cancelled.has_value());
    for (std::uint32_t i = 0; i < 20; ++i) {
      CHECK((*cancelled)[i].reason == StopReason::kCancelled);
      CHECK((*cancelled)[i].tokens.size() == (i < 8 ? 1 : 0));
    }
  }

  TEST_CASE("candidates that cannot be are refused; cancelled ones are all answered") {
    const auto engine = load({});
    GenerateRequest wanted = request(prompt_of(20), 5);
    wanted.sampler.seed = 7;
    CHECK(!engine->generate_candidates(wanted, 2).has_value());  // greedy
    wanted.sampler.temperature = 1;
    CHECK(!engine->generate_candidates(wanted, 0).has_value());
    CHECK(!engine->generate_candidates(wanted, 65).has_value());
    std::stop_source stop;
    const auto some = engine->generate_candidates(
        wanted,
        3,
        [&](std::uint32_t candidate, TokenId, std::string_view) {
          if (candidate == 1) stop.request_stop();
          return true;
        },
        stop.get_token());
    REQUIRE(some.has_value());
    // They go on together: each had its first token.
    for (const GenerateResult& one : *some) {
      CHECK(one.reason == StopReason::kCancelled);
      CHECK(one.tokens.size() == 1);
    }
  }
}

}  // namespace kinglet::test
