// Against worker_double: an engine that dies, hangs and lies on demand.
#include "daemon/processes/engine_client.h"

#include <csignal>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include "tests/daemon/double_vocabulary.h"
#include "tests/daemon/worker_double.h"

namespace kinglet::daemon {
namespace {

using test::Behavior;
using Tokens = std::vector<std::int32_t>;

/// One completion: what came of it.
struct Completion {
  Tokens tokens;
  int n_replies = 0;
  std::optional<Result<wire::Generated>> result;
  std::stop_source stop;
};

wire::Load load_of(const std::string& model, std::uint32_t threads = 0) {
  return {.model_path = model,
          .adapters = {},
          .backend = "auto",
          .device = "",
          .kv_format = "f16",
          .threads = threads,
          .context_tokens = 0};
}

wire::Load with_adapters(std::vector<wire::Adapter> adapters) {
  wire::Load load = load_of("good");
  load.adapters = std::move(adapters);
  return load;
}

class Fixture {
 public:
  explicit Fixture(const std::string& model = "good") { client.configure(load_of(model)); }

  std::shared_ptr<Completion> begin(Behavior behavior,
                                    std::uint32_t max_tokens = 5,
                                    EngineTurn turn = EngineTurn::kNext) {
    return begin({.tokens = {static_cast<std::int32_t>(behavior)}, .max_tokens = max_tokens}, turn);
  }

  std::shared_ptr<Completion> begin(wire::Generate request, EngineTurn turn = EngineTurn::kNext) {
    auto completion = std::make_shared<Completion>();
    client.generate(
        {.generate = std::move(request), .vocabulary_hash = written_for, .turn = turn},
        completion->stop.get_token(),
        [completion](std::int32_t id, std::string_view) { completion->tokens.push_back(id); },
        [completion](Result<wire::Generated> result) {
          ++completion->n_replies;
          completion->result = std::move(result);
        });
    return completion;
  }

  template <class Condition>
  void run_until(Condition condition) {
    io.restart();
    while (!condition()) {
      REQUIRE(io.run_one_for(std::chrono::seconds(60)) == 1);
    }
  }

  std::shared_ptr<Completion> run(Behavior behavior) {
    auto completion = begin(behavior);
    run_until([&] { return completion->n_replies > 0; });
    return completion;
  }

  static EngineOptions options() {
    EngineOptions options;
    options.spawn.program = WORKER_DOUBLE;
    options.cancel_grace = std::chrono::milliseconds(100);
    return options;
  }

  /// The hash of the vocabulary of the model that is there once it has been loaded.
  std::uint64_t loaded_vocabulary() {
    std::optional<std::uint64_t> hash;
    client.when_loaded([&](const auto& model) { hash = (*model)->vocabulary->hash(); });
    run_until([&] { return hash.has_value(); });
    return *hash;
  }

  boost::asio::io_context io{1};
  EngineClient client{io.get_executor(), options()};
  std::uint64_t written_for = test::double_vocabulary("good")->hash();
};

Tokens counting_from(Behavior behavior, int n) {
  Tokens tokens;
  for (int i = 1; i <= n; ++i)
    tokens.push_back(static_cast<std::int32_t>(behavior) + i);
  return tokens;
}

}  // namespace

TEST_SUITE("daemon/processes/engine_client") {
  TEST_CASE("tokens come in order, then one result") {
    Fixture fixture;
    const auto completion = fixture.run(Behavior::kGood);
    CHECK(completion->tokens == counting_from(Behavior::kGood, 5));
    REQUIRE(*completion->result);
    CHECK((*completion->result)->n_generated == 5);
    REQUIRE(fixture.client.model());
    CHECK(fixture.client.model()->info.name == "good");
    CHECK(fixture.client.model()->vocabulary->size() == 259);
    CHECK(fixture.client.status().state == EngineState::kReady);
  }

  TEST_CASE("what has time comes after all others, and gives way to one that comes") {
    Fixture fixture;
    fixture.run(Behavior::kGood);
    const auto idle = fixture.begin(Behavior::kWaits, 5, EngineTurn::kWhenIdle);
    fixture.run_until([&] { return !idle->tokens.empty(); });
    const auto other_idle = fixture.begin(Behavior::kGood, 0, EngineTurn::kWhenIdle);
    const auto wanted = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return wanted->n_replies > 0; });
    REQUIRE(idle->n_replies == 1);
    REQUIRE_FALSE(*idle->result);
    CHECK(idle->result->error().code == ErrorCode::kCancelled);
    CHECK(*wanted->result);
    CHECK(other_idle->n_replies == 0);
    fixture.run_until([&] { return other_idle->n_replies > 0; });
    CHECK(*other_idle->result);
    CHECK(other_idle->tokens.empty());
  }

  TEST_CASE("an engine that dies is replaced, and the completion goes on where it was") {
    Fixture fixture;
    fixture.run(Behavior::kGood);
    const pid_t before = fixture.client.status().pid;
    for (const auto behavior : {Behavior::kDiesOnce, Behavior::kLosesDevice}) {
      const auto completion = fixture.run(behavior);
      CHECK(completion->tokens == counting_from(behavior, 5));
      CHECK(completion->n_replies == 1);
      CHECK(*completion->result);
    }
    CHECK(fixture.client.status().n_restarts == 2);
    CHECK(fixture.client.status().pid != before);
  }

  TEST_CASE("a healed completion goes on where it was, with what was taken back left out") {
    Fixture fixture;
    const auto first = static_cast<std::int32_t>(Behavior::kHealsAndDies);
    const auto completion = fixture.begin(
        {.tokens = {first, 100, 200}, .max_tokens = 5, .healing = wire::Healing::kYes});
    fixture.run_until([&] { return completion->n_replies > 0; });
    REQUIRE(*completion->result);
    // Two before its death; then [first, 100, 201, 202] goes on. One more for the one taken back.
    CHECK(completion->tokens == Tokens{201, 202, 203, 204, 205, 206});
    CHECK((*completion->result)->n_prompt == 4);
    CHECK(fixture.client.status().n_restarts == 1);
  }

  TEST_CASE("a request that kills two engines is one error; those behind it are answered") {
    Fixture fixture;
    const auto deadly = fixture.begin(Behavior::kAlwaysDies);
    const auto next = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return next->n_replies > 0; });
    CHECK(deadly->n_replies == 1);
    REQUIRE(!*deadly->result);
    CHECK(deadly->result->error().code == ErrorCode::kUnavailable);
    CHECK(*next->result);
    CHECK(next->tokens == counting_from(Behavior::kGood, 5));
  }

  TEST_CASE("an engine killed from outside while it computes is replaced, too") {
    Fixture fixture;
    const auto completion = fixture.begin(Behavior::kWaits);
    fixture.run_until([&] { return completion->tokens.size() == 1; });
    ::kill(fixture.client.status().pid, SIGKILL);
    fixture.run_until([&] { return completion->tokens.size() == 2; });
    completion->stop.request_stop();
    fixture.run_until([&] { return completion->n_replies > 0; });
    CHECK(completion->tokens == counting_from(Behavior::kWaits, 2));
    CHECK(completion->result->error().code == ErrorCode::kCancelled);
  }

  TEST_CASE("an engine that breaks the rules is ended, and believed in nothing") {
    Fixture fixture;
    for (const auto behavior : {Behavior::kForeignToken,
                                Behavior::kHealsUnasked,
                                Behavior::kGarbage,
                                Behavior::kTalksOn}) {
      const auto completion = fixture.run(behavior);
      CAPTURE(static_cast<int>(behavior));
      CHECK(completion->n_replies == 1);
      if (behavior == Behavior::kForeignToken) CHECK(completion->tokens.empty());
      // Who says too much has said enough before.
      CHECK(completion->result->has_value() == (behavior == Behavior::kTalksOn));
      const auto good = fixture.run(Behavior::kGood);
      CHECK(*good->result);
    }
    CHECK(fixture.client.status().n_restarts == 7);
  }

  TEST_CASE("cancelling answers at once, waiting or running") {
    Fixture fixture;
    const auto running = fixture.begin(Behavior::kWaits);
    const auto waiting = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return running->tokens.size() == 1; });
    waiting->stop.request_stop();
    fixture.run_until([&] { return waiting->n_replies > 0; });
    CHECK(waiting->result->error().code == ErrorCode::kCancelled);
    CHECK(running->n_replies == 0);
    running->stop.request_stop();
    fixture.run_until([&] { return running->n_replies > 0; });
    CHECK(running->result->error().code == ErrorCode::kCancelled);
    CHECK(fixture.run(Behavior::kGood)->n_replies == 1);
    CHECK(fixture.client.status().n_restarts == 0);
  }

  TEST_CASE("what was cancelled before it began is answered once, too") {
    Fixture fixture;
    std::stop_source stop;
    stop.request_stop();
    int n_replies = 0;
    fixture.client.generate(
        {.generate = {.tokens = {10}, .max_tokens = 1, .sampling = {}, .stop_tokens = {}}},
        stop.get_token(),
        {},
        [&](const auto& result) {
          ++n_replies;
          CHECK(result.error().code == ErrorCode::kCancelled);
        });
    CHECK(n_replies == 0);
    fixture.run_until([&] { return n_replies == 1; });
  }

  TEST_CASE("an engine that does not stop when told is ended") {
    Fixture fixture;
    const auto hanging = fixture.begin(Behavior::kHangs);
    fixture.run_until([&] { return hanging->tokens.size() == 1; });
    hanging->stop.request_stop();
    const auto next = fixture.run(Behavior::kGood);
    CHECK(*next->result);
    CHECK(hanging->n_replies == 1);
    CHECK(fixture.client.status().n_restarts == 1);
  }

  TEST_CASE("a model that is none is the error of every request, until another is configured") {
    Fixture fixture("broken");
    const auto completion = fixture.run(Behavior::kGood);
    REQUIRE(!*completion->result);
    CHECK(completion->result->error().message == "broken is not a model");
    CHECK(fixture.client.status().state == EngineState::kFailed);
    CHECK(fixture.client.status().pid == -1);
    CHECK(!*fixture.run(Behavior::kGood)->result);
    fixture.client.configure(load_of("good"));
    CHECK(*fixture.run(Behavior::kGood)->result);
  }

  TEST_CASE("another model is not given what was written for the one before") {
    Fixture fixture;
    const auto running = fixture.begin(Behavior::kWaits);
    const auto waiting = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return running->tokens.size() == 1; });
    fixture.client.configure(load_of("better"));
    CHECK(running->n_replies + waiting->n_replies == 0);
    const auto next = fixture.run(Behavior::kGood);
    CHECK(*next->result);
    CHECK(fixture.client.model()->info.name == "better");
    for (const auto& turned_away : {running, waiting}) {
      REQUIRE(turned_away->n_replies == 1);
      REQUIRE(!*turned_away->result);
      CHECK(turned_away->result->error().code == ErrorCode::kInvalidArgument);
    }
    CHECK(waiting->tokens.empty());
  }

  TEST_CASE("tokens of one vocabulary never reach a model of another, however late they come") {
    Fixture fixture;
    CHECK(fixture.loaded_vocabulary() == fixture.written_for);
    fixture.client.configure(load_of("other"));
    // Packed before the change, asked for after it: before the other model is there, and then.
    const auto early = fixture.begin(Behavior::kGood);
    CHECK(fixture.loaded_vocabulary() != fixture.written_for);
    const auto late = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return early->n_replies + late->n_replies == 2; });
    for (const auto& foreign : {early, late}) {
      CHECK(foreign->n_replies == 1);
      CHECK(foreign->tokens.empty());
      REQUIRE(!*foreign->result);
      CHECK(foreign->result->error().code == ErrorCode::kInvalidArgument);
    }
    fixture.written_for = fixture.loaded_vocabulary();
    CHECK(*fixture.run(Behavior::kGood)->result);
  }

  TEST_CASE("the same model with other settings goes on with what it was given") {
    Fixture fixture;
    const auto running = fixture.begin(Behavior::kWaits);
    const auto waiting = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return running->tokens.size() == 1; });
    fixture.client.configure(load_of("good", 2));
    fixture.run_until([&] { return running->tokens.size() == 2; });
    running->stop.request_stop();
    fixture.run_until([&] { return waiting->n_replies > 0; });
    CHECK(*waiting->result);
  }

  TEST_CASE("other adapters reach the engine that is there, between two requests") {
    Fixture fixture;
    const auto running = fixture.begin(Behavior::kWaits);
    const auto waiting = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return running->tokens.size() == 1; });
    const pid_t before = fixture.client.status().pid;
    const std::vector<wire::Adapter> wanted = {{"style", 0.8}};
    fixture.client.configure(with_adapters(wanted));
    CHECK(fixture.client.model());
    CHECK(fixture.client.status().adapters.empty());
    running->stop.request_stop();
    fixture.run_until([&] { return waiting->n_replies > 0; });
    CHECK(*waiting->result);
    CHECK(fixture.client.status().adapters == wanted);
    // With nothing to compute it is told at once.
    fixture.client.configure(with_adapters({}));
    fixture.run_until([&] { return fixture.client.status().adapters.empty(); });
    CHECK(fixture.client.status().pid == before);
    CHECK(fixture.client.status().n_restarts == 0);
  }

  TEST_CASE("adapters that cannot be put on are every request's error, and the model stays") {
    Fixture fixture;
    CHECK(*fixture.run(Behavior::kGood)->result);
    const pid_t before = fixture.client.status().pid;
    fixture.client.configure(with_adapters({{"bad", 1}}));
    for (int i = 0; i < 2; ++i) {
      const auto refused = fixture.run(Behavior::kGood);
      REQUIRE(!*refused->result);
      CHECK(refused->result->error().message == "bad is no adapter");
      CHECK(fixture.client.status().state == EngineState::kFailed);
      CHECK(fixture.client.status().problem == "bad is no adapter");
    }
    fixture.client.configure(with_adapters({{"style", 1}}));
    CHECK(*fixture.run(Behavior::kGood)->result);
    CHECK(fixture.client.status().state == EngineState::kReady);
    CHECK(fixture.client.status().pid == before);
  }

  TEST_CASE("an engine that is replaced is loaded with the adapters of the one before") {
    Fixture fixture;
    fixture.client.configure(with_adapters({{"style", 1}}));
    CHECK(*fixture.run(Behavior::kDiesOnce)->result);
    CHECK(fixture.client.status().n_restarts == 1);
    CHECK(fixture.client.status().adapters == std::vector<wire::Adapter>{{"style", 1}});
    // It is asked for them while it loads, too.
    fixture.client.configure(with_adapters({{"bad", 1}}));
    const auto refused = fixture.run(Behavior::kDiesOnce);
    REQUIRE(!*refused->result);
    CHECK(refused->result->error().message == "bad is no adapter");
  }

  TEST_CASE("an engine that dies after its last token has answered") {
    Fixture fixture;
    const auto completion = fixture.begin(Behavior::kDiesOnce, 2);
    fixture.run_until([&] { return completion->n_replies > 0; });
    REQUIRE(*completion->result);
    CHECK((*completion->result)->n_prompt == 1);
    CHECK((*completion->result)->n_generated == 2);
    CHECK(fixture.client.status().n_restarts == 1);
    CHECK(fixture.client.status().state == EngineState::kStopped);
  }

  TEST_CASE("an engine that dies while it loads is tried twice, then the reason is told") {
    Fixture fixture("fatal");
    const auto completion = fixture.run(Behavior::kGood);
    REQUIRE(!*completion->result);
    CHECK(completion->result->error().message.find(
              "The engine process exited with 9 while it loaded fatal") == 0);
    CHECK(fixture.client.status().n_restarts == 2);
  }

  TEST_CASE("no model at all") {
    boost::asio::io_context io;
    EngineClient client(io.get_executor(), Fixture::options());
    client.configure(fail(ErrorCode::kNotFound, "there is no model"));
    std::string message;
    client.when_loaded([&](const auto& model) { message = model.error().message; });
    io.run_for(std::chrono::seconds(60));
    CHECK(message == "there is no model");
  }

  TEST_CASE("shutting down answers what waits and ends the process") {
    Fixture fixture;
    const auto running = fixture.begin(Behavior::kWaits);
    const auto waiting = fixture.begin(Behavior::kGood);
    fixture.run_until([&] { return running->tokens.size() == 1; });
    fixture.client.shut_down();
    // Returns: nothing keeps the loop alive any more.
    fixture.io.run();
    CHECK(running->n_replies == 1);
    CHECK(waiting->n_replies == 1);
    CHECK(fixture.client.status().pid == -1);
  }
}

}  // namespace kinglet::daemon
