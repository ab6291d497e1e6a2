#include "inference/engine.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/engine_lab.h"

namespace kinglet::test {

using namespace engine_lab;

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
