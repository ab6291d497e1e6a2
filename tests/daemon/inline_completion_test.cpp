// Completions of one session, with worker_double in the engine's place.
#include "daemon/features/inline_completion.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <doctest/doctest.h>

#include "lsp/server.h"
#include "lsp/transport.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

wire::Load load_of(const std::string& model) {
  wire::Load load;
  load.model_path = model;
  load.backend = "auto";
  load.kv_format = "f16";
  return load;
}

/// A client that asks for a completion at the end of `text`.
class Fixture {
 public:
  Fixture() {
    config.max_new_tokens = 3;
    engine.configure(load_of("good"));
    server.bind().request("initialize",
                          [](const lsp::InitializeParams&) -> lsp::Response<lsp::InitializeResult> {
                            return lsp::InitializeResult{};
                          });
    server.bind().request("textDocument/inlineCompletion",
                          [this](const lsp::InlineCompletionParams& params,
                                 std::stop_token stop,
                                 lsp::Reply<lsp::InlineCompletionResult> reply) {
                            completions.complete(
                                params, place(), std::move(stop), std::move(reply));
                          });
    send({{"id", 0}, {"method", "initialize"}, {"params", {{"capabilities", Json::object()}}}});
    send({{"method", "initialized"}, {"params", Json::object()}});
    replies.clear();
  }

  void send(Json message) {
    message["jsonrpc"] = "2.0";
    const std::string body = message.dump();
    server.feed("Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  lsp::Place place() const {
    lsp::Place place;
    place.document.uri = "file:///tmp/a.c";
    place.document.text = std::make_shared<const lsp::TextBuffer>(text);
    place.offset = ByteOffset{static_cast<std::uint32_t>(text.size())};
    return place;
  }

  /// The one reply to one request.
  Json complete() {
    send({{"id", 1},
          {"method", "textDocument/inlineCompletion"},
          {"params",
           {{"textDocument", {{"uri", "file:///tmp/a.c"}}},
            {"position", {{"line", 0}, {"character", 5}}},
            {"context", {{"triggerKind", 1}}}}}});
    while (replies.empty())
      REQUIRE(io.run_one_for(std::chrono::seconds(60)) == 1);
    io.poll();
    REQUIRE(replies.size() == 1);
    return std::exchange(replies, {}).front();
  }

  /// Where the prompt for a place would be cut.
  std::uint32_t cut() {
    std::optional<std::uint32_t> cut;
    completions.pack({.place = place(), .config = config, .budget = {}},
                     {},
                     [&](Result<PackedPrompt> packed, const auto&) {
                       REQUIRE(packed);
                       cut = packed->pack->cut;
                     });
    while (!cut)
      REQUIRE(io.run_one_for(std::chrono::seconds(60)) == 1);
    return *cut;
  }

  std::string text = "x = 1";
  boost::asio::io_context io{1};
  // While the pool packs, nothing else may keep the loop alive.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  boost::asio::thread_pool pool{1};
  EngineClient engine{io.get_executor(), {.spawn = {.program = WORKER_DOUBLE, .arguments = {}}}};
  lsp::FrameReader frames;
  std::vector<Json> replies;
  lsp::Server server{{.send =
                          [this](const std::string& frame) {
                            for (auto& body : frames.feed(frame))
                              replies.push_back(Json::parse(*body));
                          },
                      .log = {}}};
  /// Called when a prompt is about to be packed, its model chosen.
  std::function<void()> before_packing = [] {};
  int n_packed = 0;
  std::uint64_t edits_elsewhere = 0;
  std::map<std::uint64_t, std::shared_ptr<const PromptWriter>> writers;
  Config config;
  InlineCompletions completions{{
      .protocol = io.get_executor(),
      .pool = pool.get_executor(),
      .engine = engine,
      .client = server.client(),
      .config_for = [this](const lsp::Place&) { return config; },
      .job_for =
          [this](const lsp::Place&) {
            ++n_packed;
            before_packing();
            PackJob job;
            job.path = "a.c";
            job.edits_elsewhere = edits_elsewhere;
            return job;
          },
      .writer_for =
          [this](const LoadedModel& model) {
            auto& writer = writers[model.vocabulary->hash()];
            if (!writer) writer = std::make_shared<const PromptWriter>(model.vocabulary);
            return writer;
          },
      .pause = std::chrono::milliseconds(20),
  }};
};

std::string shown(const Json& reply) {
  REQUIRE_MESSAGE(reply.contains("result"), reply.dump());
  REQUIRE(reply["result"]["items"].size() == 1);
  return reply["result"]["items"][0]["insertText"];
}

// The double counts on from the last token it was given, '1', and says the numbers.
const std::string kSaidByGood = "535455";   // '1' is token 52
const std::string kSaidByOther = "545556";  // and 53 in the other vocabulary

}  // namespace

TEST_SUITE("daemon/features/inline_completion") {
  TEST_CASE("a completion is what the model says") {
    Fixture fixture;
    CHECK(shown(fixture.complete()) == kSaidByGood);
    CHECK(fixture.n_packed == 1);
  }

  TEST_CASE("a prompt whose model is changed under it is packed anew, and answered once") {
    Fixture fixture;
    fixture.before_packing = [&] {
      if (fixture.n_packed == 1) fixture.engine.configure(load_of("other"));
    };
    CHECK(shown(fixture.complete()) == kSaidByOther);
    CHECK(fixture.n_packed == 2);
  }

  TEST_CASE("a layout is kept while lines are typed, and made anew in a pause") {
    Fixture fixture;
    fixture.complete();
    for (int i = 0; i < 6; ++i)
      fixture.text += "\ny = 1";
    fixture.complete();
    CHECK(fixture.cut() == 0);
    // Too little for another one: nothing is packed however long the pause.
    const int n_packed = fixture.n_packed;
    fixture.io.run_for(std::chrono::milliseconds(60));
    CHECK(fixture.n_packed == n_packed);

    for (int i = 0; i < 6; ++i)
      fixture.text += "\nz = 1";
    fixture.complete();
    CHECK(fixture.cut() == 0);
    const auto line = static_cast<std::uint32_t>(fixture.text.size() - 5);
    for (int i = 0; i < 500 && fixture.cut() != line; ++i)
      fixture.io.run_for(std::chrono::milliseconds(10));
    CHECK(fixture.cut() == line);
    CHECK(shown(fixture.complete()) == kSaidByGood);
    CHECK(fixture.cut() == line);

    // Back to where only the former one holds.
    fixture.text.resize(line - 1);
    CHECK(fixture.cut() == 0);
    fixture.completions.forget(fixture.place().document.uri);
    CHECK(fixture.cut() == line - 6);
  }

  TEST_CASE("a layout is made anew in a pause when other documents were edited") {
    Fixture fixture;
    const auto is_packed_in_pause = [&] {
      fixture.complete();
      const int n_packed = fixture.n_packed;
      fixture.io.run_for(std::chrono::milliseconds(60));
      return fixture.n_packed > n_packed;
    };
    CHECK(!is_packed_in_pause());
    for (int i = 0; i < 12; ++i)
      fixture.text += "\ny = 1";
    const auto line = static_cast<std::uint32_t>(fixture.text.size() - 5);
    for (int i = 0; i < 500 && fixture.cut() != line; ++i)
      is_packed_in_pause();
    CHECK(!is_packed_in_pause());
    // Renewed again and again, a place takes no other's layout.
    for (int round = 0; round < 8; ++round) {
      ++fixture.edits_elsewhere;
      CHECK(is_packed_in_pause());
      // Once it is computed it knows of the edit, and the next pause is a pause.
      for (int i = 0; i < 500 && is_packed_in_pause(); ++i) {
      }
      CHECK(!is_packed_in_pause());
    }
    fixture.text.resize(line - 1);
    CHECK(fixture.cut() == 0);
  }

  TEST_CASE("a model that is changed again and again is an error in the end") {
    Fixture fixture;
    fixture.before_packing = [&] {
      fixture.engine.configure(load_of(fixture.n_packed % 2 == 0 ? "good" : "other"));
    };
    const Json reply = fixture.complete();
    REQUIRE(reply.contains("error"));
    CHECK(reply["error"]["message"] ==
          "The model was changed while this waited for it. Ask again.");
    CHECK(fixture.n_packed == 3);
  }
}

}  // namespace kinglet::daemon
