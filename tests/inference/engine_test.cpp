#include "inference/engine.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "inference/grammar/gbnf.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/conformance.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

using inference::BackendChoice;
using inference::Engine;
using inference::EngineOptions;
using inference::GenerateRequest;
using inference::GenerateResult;
using inference::KvFormat;
using inference::LogitsWanted;
using inference::StopReason;
using inference::TokenId;

namespace {

/// A small model on disk for all tests of this file.
std::filesystem::path model_path(const SyntheticModel& shape = {}) {
  static const TemporaryFolder kFolder;
  auto path = kFolder / ("model-" + std::to_string(shape.seed) + ".gguf");
  if (!std::filesystem::exists(path)) write_synthetic_gguf(shape, path.string());
  return path;
}

// Context 256, original context 128: both factor sets are in reach.
constexpr SyntheticModel kLongRope = {.seed = 2, .context = 256, .original_context = 128};
// Slow enough to be cancelled in the middle.
constexpr SyntheticModel kBigger = {
    .seed = 3, .hidden = 512, .layers = 4, .heads = 8, .kv_heads = 4, .ffn = 1024};

std::unique_ptr<Engine> load(EngineOptions options) {
  if (options.model_path.empty()) options.model_path = model_path();
  options.backend = BackendChoice::kCpu;
  options.n_threads = 2;
  auto engine = Engine::load(options);
  if (!engine) FAIL(engine.error().message);
  return std::move(*engine);
}

GenerateResult generate(Engine& engine, const GenerateRequest& request) {
  auto result = engine.generate(request);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

GenerateRequest request(std::vector<TokenId> prompt, std::uint32_t max_tokens) {
  return {.prompt = std::move(prompt), .max_tokens = max_tokens};
}

std::vector<TokenId> prompt_of(std::size_t n, std::uint32_t seed = 5) {
  return random_tokens(n, 384, seed);
}

std::vector<TokenId> join(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_SUITE("inference/engine") {
  TEST_CASE("an engine says what it loaded and reports on the way") {
    std::vector<inference::LoadStage> stages;
    const auto engine = load({.progress = [&](inference::LoadStage stage, float fraction) {
      CHECK(fraction >= 0);
      CHECK(fraction <= 1);
      if (stages.empty() || stages.back() != stage) stages.push_back(stage);
    }});
    CHECK(stages == std::vector{inference::LoadStage::kReadingModel,
                                inference::LoadStage::kPlacingWeights,
                                inference::LoadStage::kReady});
    const auto& info = engine->info();
    CHECK(info.model_name == "synthetic-1");
    CHECK(info.architecture == "phi3");
    CHECK(info.n_context == 2048);
    CHECK(info.n_layers == 2);
    CHECK(info.executor.backend == "cpu");
    CHECK(info.executor.n_threads == 2);
    CHECK(!info.executor.device.name.empty());
    CHECK(info.executor.kv_format == KvFormat::kF16);
  }

  TEST_CASE("tokens are streamed as they are chosen, with their bytes") {
    const auto engine = load({});
    std::vector<TokenId> streamed;
    std::string text;
    auto result =
        engine->generate(request(prompt_of(10), 12), [&](TokenId token, std::string_view bytes) {
          streamed.push_back(token);
          text += bytes;
          return true;
        });
    REQUIRE(result.has_value());
    CHECK(result->reason == StopReason::kMaxTokens);
    CHECK(result->tokens.size() == 12);
    CHECK(streamed == result->tokens);
    std::string expected;
    for (const TokenId token : result->tokens)
      engine->tokenizer().append_piece(token, expected);
    CHECK(text == expected);
    CHECK(result->stats.n_prompt == 10);
    CHECK(result->stats.n_reused == 0);
    CHECK(result->stats.n_generated == 12);
    CHECK(result->stats.time_to_first_token > 0);
    CHECK(result->stats.time_to_first_token >= result->stats.prefill_seconds);
    CHECK(result->stats.decode_tokens_per_second() > 0);
  }

  TEST_CASE("the text is the greedy text of the model") {
    const auto engine = load({.kv_format = KvFormat::kF32});
    const LoadedModel loaded = load_synthetic({});
    const auto executor = make_executor(
        "cpu", loaded, {.kv_format = KvFormat::kF32, .n_kv_tokens = 2048, .n_threads = 1});
    const auto expected = greedy_text(*executor, prompt_of(30), 40);
    CHECK(generate(*engine, request(prompt_of(30), 40)).tokens == expected);
  }

  TEST_CASE("rows of padding behind the vocabulary never become a token") {
    GgufWriter writer = synthetic_gguf({});
    for (const char* name : {"token_embd.weight", "output.weight"}) {
      auto& tensor = writer.tensor(name);
      const std::size_t n_columns = tensor.shape[0];
      std::vector<float> loud(2 * n_columns);
      std::memcpy(loud.data(), tensor.data.data(), n_columns * sizeof(float));
      // One of the two is far above every token, whatever came before.
      for (std::size_t i = 0; i < n_columns; ++i) {
        loud[i] *= 1000;
        loud[n_columns + i] = -loud[i];
      }
      const auto bytes = std::as_bytes(std::span(loud));
      tensor.data.insert(tensor.data.end(), bytes.begin(), bytes.end());
      tensor.shape[1] += 2;
    }
    const TemporaryFolder folder;
    write_file(folder / "padded.gguf", writer.bytes());
    const auto engine = Engine::load({.model_path = folder / "padded.gguf",
                                      .backend = inference::BackendChoice::kCpu,
                                      .n_context = 64});
    REQUIRE(engine.has_value());
    CHECK((*engine)->info().n_vocabulary == 386);
    for (const float temperature : {0.0F, 1.0F}) {
      GenerateRequest wanted = request(prompt_of(10), 20);
      wanted.sampler.temperature = temperature;
      const auto result = generate(**engine, wanted);
      CHECK(!result.tokens.empty());
      for (const TokenId token : result.tokens)
        CHECK(token < 384);
    }
  }

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

  TEST_CASE("while someone types, only what changed is computed, and the text is the fresh one") {
    const auto engine = load({});
    std::vector<TokenId> prompt = prompt_of(200);
    CHECK(generate(*engine, request(prompt, 5)).stats.n_reused == 0);

    // Keys appended one by one.
    for (const TokenId key : prompt_of(6, 9)) {
      prompt.push_back(key);
      const auto result = generate(*engine, request(prompt, 5));
      CHECK(result.stats.n_reused == prompt.size() - 1);
      const auto fresh = load({});
      CHECK(result.tokens == generate(*fresh, request(prompt, 5)).tokens);
    }
    // A deletion rolls back; the last token is computed for its logits.
    prompt.resize(prompt.size() - 3);
    CHECK(generate(*engine, request(prompt, 5)).stats.n_reused == prompt.size() - 1);
    // Typing what was predicted reuses the prediction.
    const auto predicted = generate(*engine, request(prompt, 8));
    const auto typed = join(prompt, {predicted.tokens.begin(), predicted.tokens.begin() + 5});
    const auto next = generate(*engine, request(typed, 3));
    CHECK(next.stats.n_reused == typed.size() - 1);
    CHECK(next.tokens == std::vector(predicted.tokens.begin() + 5, predicted.tokens.end()));
  }

  TEST_CASE("another file's prompt does not cost the first one's") {
    const auto engine = load({});
    const auto shared = prompt_of(100);
    const auto a = join(shared, prompt_of(150, 21));
    const auto b = join(shared, prompt_of(150, 22));
    generate(*engine, request(a, 4));
    const auto first_b = generate(*engine, request(b, 4));
    CHECK(first_b.stats.n_reused == 100);
    const auto fresh = load({});
    CHECK(first_b.tokens == generate(*fresh, request(b, 4)).tokens);
    const auto second_a = generate(*engine, request(a, 4));
    CHECK(second_a.stats.n_reused == a.size() - 1);
    fresh->forget();
    CHECK(second_a.tokens == generate(*fresh, request(a, 4)).tokens);
  }

  TEST_CASE("a full cache forgets the least recently used sequence") {
    const auto engine = load({.n_context = 256, .n_sequences = 8, .n_kv_tokens = 512});
    for (std::uint32_t round = 0; round < 12; ++round) {
      const auto prompt = prompt_of(180 + round, 100 + round);
      const auto result = generate(*engine, request(prompt, 6));
      const auto fresh = load({.n_context = 256});
      CHECK(result.tokens == generate(*fresh, request(prompt, 6)).tokens);
    }
    CHECK(generate(*engine, request(prompt_of(191, 111), 6)).stats.n_reused == 190);
    CHECK(generate(*engine, request(prompt_of(180, 100), 6)).stats.n_reused == 0);
  }

  TEST_CASE("keys turned with other rope factors are not reused") {
    const auto path = model_path(kLongRope);
    const auto engine = load({.model_path = path, .n_context = 256});
    const auto prompt = prompt_of(100);
    CHECK(generate(*engine, request(prompt, 28)).stats.n_reused == 0);
    // 100 + 29 may pass the original context: long factors, everything anew.
    const auto longer = generate(*engine, request(prompt, 29));
    CHECK(longer.stats.n_reused == 0);
    const auto fresh = load({.model_path = path, .n_context = 256});
    CHECK(longer.tokens == generate(*fresh, request(prompt, 29)).tokens);
    // Both layouts are remembered.
    CHECK(generate(*engine, request(prompt, 28)).stats.n_reused == 99);
    CHECK(generate(*engine, request(prompt, 29)).stats.n_reused == 99);
  }

  TEST_CASE("a prompt can be computed ahead") {
    const auto engine = load({});
    const auto ahead = generate(*engine, request(prompt_of(80), 0));
    CHECK(ahead.tokens.empty());
    CHECK(ahead.reason == StopReason::kMaxTokens);
    CHECK(generate(*engine, request(prompt_of(80), 3)).stats.n_reused == 79);
  }

  TEST_CASE("cancelling while tokens come keeps what was computed") {
    const auto engine = load({});
    const auto free_run = generate(*engine, request(prompt_of(50), 10));
    engine->forget();
    std::stop_source stop;
    std::size_t n = 0;
    const auto result = engine->generate(
        request(prompt_of(50), 10),
        [&](TokenId, std::string_view) {
          if (++n == 4) stop.request_stop();
          return true;
        },
        stop.get_token());
    REQUIRE(result.has_value());
    CHECK(result->reason == StopReason::kCancelled);
    CHECK(result->tokens == std::vector(free_run.tokens.begin(), free_run.tokens.begin() + 4));
    const auto next = generate(*engine, request(prompt_of(50), 10));
    CHECK(next.stats.n_reused == 49);
    CHECK(next.tokens == free_run.tokens);
  }

  TEST_CASE("cancelling inside prefill ends it within a chunk") {
    const auto path = model_path(kBigger);
    const auto engine = load({.model_path = path, .chunk_tokens = 16});
    const auto prompt = prompt_of(1500);
    std::stop_source stop;
    std::chrono::steady_clock::time_point stopped_at;
    std::thread typist([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      stopped_at = std::chrono::steady_clock::now();
      stop.request_stop();
    });
    const auto result = engine->generate(request(prompt, 3), {}, stop.get_token());
    const auto late = std::chrono::steady_clock::now();
    typist.join();
    REQUIRE(result.has_value());
    CHECK(result->reason == StopReason::kCancelled);
    CHECK(result->tokens.empty());
    CHECK(late - stopped_at < std::chrono::milliseconds(500));
    // Its chunks are reused, and the text is that of an engine that was never disturbed.
    const auto next = generate(*engine, request(prompt, 3));
    CHECK(next.stats.n_reused % 16 == 0);
    CHECK(next.stats.n_reused < 1499);
    const auto fresh = load({.model_path = path});
    CHECK(next.tokens == generate(*fresh, request(prompt, 3)).tokens);
  }

  TEST_CASE("a request cancelled before it began computes nothing") {
    const auto engine = load({});
    std::stop_source stop;
    stop.request_stop();
    const auto result = engine->generate(request(prompt_of(50), 3), {}, stop.get_token());
    REQUIRE(result.has_value());
    CHECK(result->reason == StopReason::kCancelled);
    CHECK(generate(*engine, request(prompt_of(50), 3)).stats.n_reused == 0);
  }

  TEST_CASE("requests that cannot be served say why, and the engine goes on") {
    const auto engine = load({.n_context = 64});
    const auto error = [&](const GenerateRequest& bad) {
      const auto result = engine->generate(bad);
      REQUIRE(!result.has_value());
      CHECK(result.error().code == ErrorCode::kInvalidArgument);
      return result.error().message;
    };
    CHECK(error(request({}, 3)) == "the prompt is empty");
    CHECK(error(request(prompt_of(64), 3)).find("the prompt has 64 tokens") == 0);
    CHECK(error(request({5, 9999}, 3)).find("token 9999") == 0);
    GenerateRequest hot = request({5}, 3);
    hot.sampler.temperature = -1;
    CHECK(error(hot).find("temperature") == 0);
    CHECK(generate(*engine, request(prompt_of(63), 1)).tokens.size() == 1);
  }

  TEST_CASE("weights that are not numbers are refused by the tensor's name") {
    const TemporaryFolder folder;
    for (const float bad : {std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
      for (std::size_t i = 0; i < synthetic_gguf({}).tensors.size(); ++i) {
        GgufWriter writer = synthetic_gguf({});
        auto& data = writer.tensors[i].data;
        std::memcpy(&data[data.size() / 8 * 4], &bad, 4);
        const std::string path = (folder / "broken.gguf").string();
        write_file(path, writer.bytes());
        const auto engine = Engine::load({.model_path = path, .backend = BackendChoice::kCpu});
        REQUIRE(!engine.has_value());
        CHECK(engine.error().code == ErrorCode::kNumeric);
        CHECK(engine.error().message ==
              path + ": tensor '" + writer.tensors[i].name +
                  "' has numbers that are infinite or none (NaN): the file is damaged; download it "
                  "again");
      }
    }
  }

  TEST_CASE("logits that are not numbers become an error, not text") {
    GgufWriter writer = synthetic_gguf({});
    const auto huge = std::vector<float>(128, std::numeric_limits<float>::max());
    std::erase_if(writer.tensors,
                  [](const auto& tensor) { return tensor.name == "blk.0.attn_norm.weight"; });
    writer.add_floats("blk.0.attn_norm.weight", inference::TensorType::kF32, {128}, huge);
    const TemporaryFolder folder;
    write_file((folder / "broken.gguf").string(), writer.bytes());
    const auto engine = load({.model_path = folder / "broken.gguf"});
    const auto result = engine->generate(request(prompt_of(5), 3));
    REQUIRE(!result.has_value());
    CHECK(result.error().code == ErrorCode::kNumeric);
    CHECK(!engine->generate(request(prompt_of(5), 3)).has_value());
  }

  TEST_CASE("logits are the reference's") {
    const auto engine = load({.kv_format = KvFormat::kF32});
    const LoadedModel loaded = load_synthetic({});
    const auto tokens = prompt_of(40);
    const auto expected = loaded.reference->logits(tokens, 40);
    const auto all = engine->logits(tokens, LogitsWanted::kAll);
    REQUIRE(all.has_value());
    CHECK(logits_error(*all, expected) < 1e-4);
    const auto last = engine->logits(tokens, LogitsWanted::kLast);
    REQUIRE(last.has_value());
    CHECK(*last == std::vector(all->end() - 384, all->end()));
    CHECK(!engine->logits({}, LogitsWanted::kLast).has_value());
  }

  TEST_CASE("what cannot be loaded says why") {
    const auto error = [](const EngineOptions& options) {
      const auto engine = Engine::load(options);
      REQUIRE(!engine.has_value());
      return engine.error();
    };
    CHECK(error({.model_path = "/no/such/model.gguf"}).code == ErrorCode::kNotFound);
    const Error context =
        error({.model_path = model_path(), .backend = BackendChoice::kCpu, .n_context = 4096});
    CHECK(context.code == ErrorCode::kInvalidArgument);
    CHECK(context.message == "a context of 4096 tokens: synthetic-1 takes up to 2048");
    const Error threads =
        error({.model_path = model_path(), .backend = BackendChoice::kCpu, .n_threads = 100'000});
    CHECK(threads.code == ErrorCode::kInvalidArgument);
  }
}

}  // namespace kinglet::test
