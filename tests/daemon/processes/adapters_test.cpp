// Adapters as a user has them: a setting, changed while the real engine runs.
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include "daemon/processes/engine_client.h"
#include "inference/gguf.h"
#include "tests/daemon/home.h"
#include "tests/inference/synthetic_gguf.h"
#include "tests/inference/synthetic_lora.h"

namespace kinglet::daemon {
namespace {

using test::Editor;
using test::Home;
using test::Json;
using test::wait_until;

/// A home with a small real model, two adapters for it, and one for another model.
class AdapterHome : public Home {
 public:
  AdapterHome() {
    const test::SyntheticModel shape = {.layers = 1};
    const auto gguf = test::synthetic_gguf(shape);
    test::write_file(model, gguf.bytes());
    test::write_file(first, test::synthetic_lora(gguf, {.seed = 1}).bytes());
    test::write_file(second, test::synthetic_lora(gguf, {.seed = 2}).bytes());
    test::write_file(
        foreign,
        test::synthetic_lora(test::synthetic_gguf({.hidden = 64, .layers = 1}), {}).bytes());
  }

  Json config(const Json& adapters) const {
    return {{"model", model}, {"backend", "cpu"}, {"threads", 1}, {"adapters", adapters}};
  }

  const std::string model = *this / "model.gguf";
  const std::string first = *this / "first.gguf";
  const std::string second = *this / "second.gguf";
  const std::string foreign = *this / "foreign.gguf";
};

/// The engine process of a home, without a daemon between.
class Engine {
 public:
  explicit Engine(const AdapterHome& home) : home_(home), client_(io_.get_executor(), options()) {}

  void configure(const std::vector<wire::Adapter>& adapters) {
    client_.configure(wire::Load{.model_path = home_.model,
                                 .adapters = adapters,
                                 .backend = "cpu",
                                 .device = "",
                                 .kv_format = "f32",
                                 .threads = 1,
                                 .context_tokens = 256});
  }

  struct Answer {
    std::vector<std::int32_t> tokens;
    Result<wire::Generated> result;
  };
  Answer generate() {
    std::optional<std::uint64_t> vocabulary;
    client_.when_loaded([&](const auto& model) {
      REQUIRE_MESSAGE(model, (model ? "" : model.error().message));
      vocabulary = (*model)->vocabulary->hash();
    });
    run_until([&] { return vocabulary.has_value(); });
    std::vector<std::int32_t> prompt;
    for (std::int32_t i = 0; i < 40; ++i)
      prompt.push_back(20 + i * 7 % 200);
    std::vector<std::int32_t> tokens;
    std::optional<Result<wire::Generated>> result;
    client_.generate(
        {.generate = {.tokens = std::move(prompt), .max_tokens = 8},
         .vocabulary_hash = *vocabulary},
        {},
        [&](std::int32_t id, std::string_view) { tokens.push_back(id); },
        [&](Result<wire::Generated> done) { result = std::move(done); });
    run_until([&] { return result.has_value(); });
    return {std::move(tokens), *std::move(result)};
  }
  EngineStatus status() const { return client_.status(); }

 private:
  /// The program with the home's environment.
  EngineOptions options() const {
    EngineOptions options;
    options.spawn.program = "/usr/bin/env";
    options.spawn.arguments.clear();
    for (const auto& [name, value] : home_.environment())
      options.spawn.arguments.push_back(name + "=" + value);
    options.spawn.arguments.insert(options.spawn.arguments.end(), {KINGLET_PROGRAM, "engine"});
    options.load_retry = std::chrono::milliseconds(1);
    return options;
  }

  template <class Condition>
  void run_until(Condition condition) {
    io_.restart();
    while (!condition())
      REQUIRE(io_.run_one_for(test::kPatience) == 1);
  }

  const AdapterHome& home_;
  boost::asio::io_context io_{1};
  EngineClient client_;
};

}  // namespace

TEST_SUITE("daemon/processes/adapters") {
  TEST_CASE("an engine changes adapters, keeps its model, and reuses nothing of the others") {
    const AdapterHome home;
    Engine engine(home);
    const auto tokens_with = [&](const std::vector<wire::Adapter>& adapters, std::uint32_t reused) {
      engine.configure(adapters);
      const Engine::Answer answer = engine.generate();
      REQUIRE_MESSAGE(answer.result, (answer.result ? "" : answer.result.error().message));
      CHECK(answer.result->n_reused == reused);
      CHECK(engine.status().adapters == adapters);
      return answer.tokens;
    };
    const auto plain = tokens_with({}, 0);
    const pid_t pid = engine.status().pid;
    const auto with_first = tokens_with({{home.first, 1}}, 0);
    CHECK(with_first != plain);
    CHECK(tokens_with({{home.first, 0.5}, {home.second, 1}}, 0) != with_first);
    // What each computed is still there when it comes back.
    CHECK(tokens_with({}, 39) == plain);
    CHECK(tokens_with({{home.first, 1}}, 39) == with_first);

    engine.configure({{home.foreign, 1}});
    const auto refused = engine.generate();
    REQUIRE(!refused.result);
    INFO(refused.result.error().message);
    CHECK(refused.result.error().message.starts_with("The adapter " + home.foreign + ": "));
    CHECK(refused.result.error().message.ends_with(
        ": it is for another model. Take it out of \"adapters\" in config.json, or name one there "
        "that was made for this model."));
    CHECK(engine.status().state == EngineState::kFailed);
    CHECK(tokens_with({{home.first, 1}}, 39) == with_first);
    CHECK(engine.status().pid == pid);
    CHECK(engine.status().n_restarts == 0);
  }

  TEST_CASE("a file that took another's place under its name is read") {
    const AdapterHome home;
    Engine engine(home);
    engine.configure({{home.first, 1}});
    const auto before = engine.generate();
    REQUIRE(before.result);
    std::filesystem::rename(home.second, home.first);
    std::filesystem::last_write_time(
        home.first, std::filesystem::last_write_time(home.first) + std::chrono::seconds(2));
    engine.configure({});
    REQUIRE(engine.generate().result);
    engine.configure({{home.first, 1}});
    const auto after = engine.generate();
    REQUIRE(after.result);
    CHECK(after.tokens != before.tokens);
    CHECK(after.result->n_reused == 0);
  }

  TEST_CASE("an editor changes the daemon's adapters; status and doctor tell them") {
    const AdapterHome home;
    home.write_config(home.config(Json::array({{{"file", home.first}, {"scale", 0.8}}})));
    Editor editor(home);
    editor.initialize(home.folder());
    const auto wait_for = [&](const std::string& state, const Json& adapters) {
      wait_until("an engine that is " + state + " with " + adapters.dump(), [&] {
        const Json status = home.status();
        return status["engine"]["state"] == state && status.contains("model") &&
               status["model"]["adapters"] == adapters;
      });
    };
    const Json one = Json::array({{{"file", home.first}, {"scale", 0.8}}});
    wait_for("ready", one);
    const Json before = home.status();
    CHECK(home.run({"status"}).output.find("  adapter: " + home.first + ", scale 0.8\n") !=
          std::string::npos);
    const auto change = [&](const Json& adapters) {
      editor.notify("workspace/didChangeConfiguration", {{"settings", {{"adapters", adapters}}}});
    };
    change(Json::array());
    wait_for("ready", Json::array());
    // One that does not suit leaves those that were there, and is the engine's problem.
    change(Json::array({{{"file", home / "none.gguf"}}}));
    wait_for("failed", Json::array());
    const std::string problem = home.status()["engine"]["problem"];
    CHECK(problem.starts_with("The adapter " + (home / "none.gguf").string() + ": no such file"));
    CHECK(home.run({"status"}).output.find("problem: The adapter ") != std::string::npos);
    change(Json::array({{{"file", home.second}}}));
    wait_for("ready", Json::array({{{"file", home.second}, {"scale", 1.0}}}));
    CHECK(home.status()["engine"]["pid"] == before["engine"]["pid"]);
    CHECK(home.status()["engine"]["restarts"] == 0);
    CHECK(editor.quit() == 0);
  }

  TEST_CASE("doctor reads each adapter for the model") {
    const AdapterHome home;
    home.write_config(home.config(
        Json::array({{{"file", home.first}, {"scale", 0.5}}, {{"file", home.foreign}}})));
    const auto outcome = home.run({"doctor"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.output.find("ok       adapter  " + home.first + ", scale 0.5\n") !=
          std::string::npos);
    CHECK(outcome.output.find("PROBLEM  adapter  The adapter " + home.foreign + ": ") !=
          std::string::npos);
  }
}

}  // namespace kinglet::daemon
