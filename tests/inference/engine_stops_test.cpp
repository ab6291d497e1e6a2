// Where a generation begins and ends: stops, healing, grammars.
#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/grammar/gbnf.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/engine_lab.h"

namespace kinglet::test {

using namespace engine_lab;

TEST_SUITE("inference/engine_stops") {
  TEST_CASE("generation stops before a stop token, at the callback's word, at the context's end") {
    const auto engine = load({.n_context = 64});
    const auto free_run = generate(*engine, request(prompt_of(10), 20));
    REQUIRE(free_run.tokens.size() == 20);
    const TokenId stop = free_run.tokens[7];
    const auto first = std::find(free_run.tokens.begin(), free_run.tokens.end(), stop);

    GenerateRequest stopping = request(prompt_of(10), 20);
    stopping.stop_tokens = {stop};
    const auto stopped = generate(*engine, stopping);
    CHECK(stopped.reason == StopReason::kStopToken);
    CHECK(stopped.tokens == std::vector(free_run.tokens.begin(), first));

    int n_called = 0;
    const auto called_off = engine->generate(
        request(prompt_of(10), 20), [&](TokenId, std::string_view) { return ++n_called < 3; });
    REQUIRE(called_off.has_value());
    CHECK(called_off->reason == StopReason::kCallback);
    CHECK(called_off->tokens.size() == 3);

    const auto full = generate(*engine, request(prompt_of(60), 20));
    CHECK(full.reason == StopReason::kContextFull);
    CHECK(full.tokens.size() == 4);
  }

  TEST_CASE("a stop string ends the text wherever tokens part it, and is never seen") {
    const auto engine = load({});
    const auto free_run = generate(*engine, request(prompt_of(10), 40));
    std::string whole;
    for (const TokenId token : free_run.tokens)
      engine->tokenizer().append_piece(token, whole);
    CHECK(free_run.text == whole);
    REQUIRE(whole.size() > 20);

    GenerateRequest stopping = request(prompt_of(10), 40);
    stopping.stop_strings = {"never to be seen", whole.substr(11, 5)};
    const std::size_t end = whole.find(stopping.stop_strings[1]);
    std::string streamed;
    std::vector<TokenId> tokens;
    const auto stopped = engine->generate(stopping, [&](TokenId token, std::string_view bytes) {
      tokens.push_back(token);
      streamed += bytes;
      return true;
    });
    REQUIRE(stopped.has_value());
    CHECK(stopped->reason == StopReason::kStopString);
    CHECK(stopped->text == whole.substr(0, end));
    CHECK(streamed == stopped->text);
    CHECK(tokens == stopped->tokens);
    CHECK(stopped->stats.n_generated > tokens.size());
    stopping.stop_strings = {""};
    CHECK(!engine->generate(stopping).has_value());
  }

  TEST_CASE("what is held back is given out when the text ends otherwise") {
    const auto engine = load({});
    const auto free_run = generate(*engine, request(prompt_of(10), 12));
    GenerateRequest waiting = request(prompt_of(10), 12);
    waiting.stop_strings = {free_run.text.substr(free_run.text.size() - 3) + "\x01\x02\x03"};
    const auto result = generate(*engine, waiting);
    CHECK(result.reason == StopReason::kMaxTokens);
    CHECK(result.text == free_run.text);
    CHECK(result.tokens == free_run.tokens);
  }

  TEST_CASE("a healed output begins with what was taken back, which is not given out") {
    const auto engine = load({});
    GenerateRequest healed = request(prompt_of(20, 6), 12);
    healed.begins_with = "ab";
    const auto result = generate(*engine, healed);
    CHECK(result.tokens.size() == 12);
    std::string text;
    for (const TokenId token : result.tokens)
      engine->tokenizer().append_piece(token, text);
    CHECK(text == "ab" + result.text);
    // The same as if it had stood in the prompt, in the tokens that the model chose.
    const auto n_spelled =
        static_cast<std::size_t>(std::find_if(result.tokens.begin(),
                                              result.tokens.end(),
                                              [n = std::size_t{0}, &engine](TokenId token) mutable {
                                                std::string piece;
                                                engine->tokenizer().append_piece(token, piece);
                                                return (n += piece.size()) >= 2;
                                              }) -
                                 result.tokens.begin() + 1);
    const auto split = result.tokens.begin() + static_cast<std::ptrdiff_t>(n_spelled);
    const auto told = generate(*engine,
                               request(join(prompt_of(20, 6), {result.tokens.begin(), split}),
                                       static_cast<std::uint32_t>(12 - n_spelled)));
    CHECK(told.tokens == std::vector(split, result.tokens.end()));

    healed.begins_with.assign(2000, 'x');
    CHECK(!engine->generate(healed).has_value());
  }

  TEST_CASE("healing takes back what begins a longer token") {
    SyntheticModel shape = {.seed = 9};
    const auto engine = load({.model_path = model_path(shape)});
    // Of each token that is the beginning of another one's text.
    const auto& trie = engine->token_trie();
    int n_healed = 0;
    for (TokenId token = 3; token < 384; ++token) {
      const auto node = trie.find(trie.text(token));
      if (trie.text(token).empty() || trie.is_leaf(*node)) continue;
      GenerateRequest wanted = request({1, token}, 3);
      REQUIRE(engine->heal(wanted) == 1);
      CHECK(wanted.prompt == std::vector<TokenId>{1});
      CHECK(wanted.begins_with == trie.text(token));
      CHECK(wanted.max_tokens == 4);
      CHECK(engine->heal(wanted) == 0);
      if (++n_healed <= 3) {
        std::string text;
        for (const TokenId chosen : generate(*engine, wanted).tokens)
          text += trie.text(chosen);
        CHECK(text.starts_with(wanted.begins_with));
      }
    }
    CHECK(n_healed > 0);
  }

  TEST_CASE("a constrained output is a whole text of its grammar, however few tokens there are") {
    const auto engine = load({});
    auto machine =
        inference::grammar::compile_gbnf("root ::= \"{\" [a-z]{2,30} (\",\" [0-9]+)* \"}\"");
    REQUIRE(machine.has_value());
    const auto constraint = engine->constrain(std::move(*machine));
    REQUIRE(constraint.has_value());
    GenerateRequest wanted = request(prompt_of(10), 3);
    wanted.constraint = *constraint;
    wanted.sampler.temperature = 2;
    const auto too_few = engine->generate(wanted);
    REQUIRE(!too_few.has_value());
    CHECK(too_few.error().message ==
          "what is asked for takes 4 tokens at least, and only 3 may be generated; allow more");
    const std::regex whole("\\{[a-z]{2,30}(,[0-9]+)*\\}");
    for (std::uint32_t most = 4; most < 24; ++most) {
      wanted.max_tokens = most;
      wanted.sampler.seed = most;
      const auto result = generate(*engine, wanted);
      INFO(result.text);
      CHECK(std::regex_match(result.text, whole));
      CHECK(result.reason == StopReason::kComplete);
      CHECK(result.tokens.size() <= most);
    }
    // The context is a limit, too.
    const auto narrow = load({.n_context = 16});
    auto again = inference::grammar::compile_gbnf("root ::= [a-z]*");
    wanted.constraint = *narrow->constrain(std::move(*again));
    wanted.max_tokens = 100;
    const auto full = generate(*narrow, wanted);
    CHECK(full.tokens.size() <= 6);
    CHECK(std::regex_match(full.text, std::regex("[a-z]*")));

    wanted.stop_strings = {"x"};
    CHECK(!narrow->generate(wanted).has_value());
  }

  TEST_CASE("a healed output is constrained behind what was taken back") {
    const auto engine = load({});
    auto machine = inference::grammar::compile_gbnf("root ::= [0-9]{3}");
    REQUIRE(machine.has_value());
    GenerateRequest wanted = request(prompt_of(10), 8);
    wanted.constraint = *engine->constrain(std::move(*machine));
    wanted.begins_with = "ab";
    const auto result = generate(*engine, wanted);
    CHECK(std::regex_match(result.text, std::regex("[0-9]{3}")));
  }
}

}  // namespace kinglet::test
