// What transcripts cannot show: replies after the server is gone, order, floods, random orders of
// requests and cancellations.
#include "lsp/server.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "lsp/transport.h"

namespace kinglet::lsp {
namespace {

struct Harness {
  std::vector<Json> sent;
  std::optional<Server> server;
  std::vector<std::pair<std::stop_token, Reply<Json>>> open;

  Harness() {
    server.emplace(ServerOptions{.send =
                                     [this](const std::string& frame) {
                                       FrameReader reader;
                                       for (const auto& body : reader.feed(frame)) {
                                         sent.push_back(*parse_json(*body));
                                       }
                                     },
                                 .log = {}});
    server->bind().request("initialize", [](const Null&) -> Response<Null> { return Null{}; });
    server->bind().request("later", [this](const Null&, std::stop_token stop, Reply<Json> reply) {
      open.emplace_back(std::move(stop), std::move(reply));
    });
  }

  void message(const Json& json) { server->feed(write_frame(to_text(json))); }
  void request(const Json& id, const char* method) {
    message({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}});
  }
  void cancel(const Json& id) {
    message({{"jsonrpc", "2.0"}, {"method", "$/cancelRequest"}, {"params", {{"id", id}}}});
  }
  void initialize() {
    request(0, "initialize");
    sent.clear();
  }
};

}  // namespace

TEST_SUITE("lsp/server") {
  TEST_CASE("a reply after the server is gone goes nowhere") {
    Harness harness;
    harness.initialize();
    harness.request(1, "later");
    REQUIRE(harness.open.size() == 1);
    const Client client = harness.server->client();
    CHECK(client.is_connected());
    harness.server.reset();
    CHECK(harness.open[0].first.stop_requested());
    harness.open[0].second(Json("late"));
    harness.open.clear();
    client.notify("window/logMessage", MessageParams{});
    CHECK(!client.is_connected());
    CHECK(harness.sent.empty());
  }

  TEST_CASE("exit cancels what is open and falls silent") {
    Harness harness;
    harness.initialize();
    harness.request(1, "later");
    harness.message({{"jsonrpc", "2.0"}, {"method", "exit"}});
    CHECK(harness.server->exit_code() == 1);
    CHECK(harness.open[0].first.stop_requested());
    harness.open[0].second(Json());
    harness.server->client().notify("x", Null{});
    harness.server->end_of_input();
    CHECK(harness.server->exit_code() == 1);
    CHECK(harness.sent.empty());
  }

  TEST_CASE("a request open at shutdown is still answered") {
    Harness harness;
    harness.initialize();
    harness.request(1, "later");
    harness.request(2, "shutdown");
    harness.open[0].second(Json("done"));
    REQUIRE(harness.sent.size() == 2);
    CHECK(harness.sent[1]["id"] == 1);
    CHECK(harness.sent[1]["result"] == "done");
    harness.message({{"jsonrpc", "2.0"}, {"method", "exit"}});
    CHECK(harness.server->exit_code() == 0);
  }

  TEST_CASE("end of input after shutdown is still not an exit") {
    Harness harness;
    harness.initialize();
    harness.request(2, "shutdown");
    harness.server->end_of_input();
    CHECK(harness.server->exit_code() == 1);
  }

  TEST_CASE("requests are answered in whatever order the handlers finish") {
    Harness harness;
    harness.initialize();
    harness.request(1, "later");
    harness.request("b", "later");
    CHECK(harness.server->n_requests_in_flight() == 2);
    harness.open[1].second(Json("second"));
    harness.open[0].second(Json("first"));
    CHECK(harness.server->n_requests_in_flight() == 0);
    CHECK(harness.sent[0]["id"] == "b");
    CHECK(harness.sent[1]["id"] == 1);
  }

  TEST_CASE("an initialize that fails can be tried again") {
    Harness harness;
    int n_tries = 0;
    harness.server->bind().request("ping", [](const Null&) -> Response<Null> { return Null{}; });
    Server server({.send =
                       [&](const std::string& frame) {
                         FrameReader reader;
                         harness.sent.push_back(*parse_json(*reader.feed(frame).at(0)));
                       },
                   .log = {}});
    server.bind().request("initialize", [&](const Null&) -> Response<Null> {
      if (++n_tries == 1) return fail(ResponseCode::kRequestFailed, "not now");
      return Null{};
    });
    const auto initialize = write_frame(R"({"jsonrpc":"2.0","id":1,"method":"initialize"})");
    server.feed(initialize);
    CHECK(!server.is_initialized());
    server.feed(initialize);
    CHECK(server.is_initialized());
    CHECK(harness.sent[0].contains("error"));
    CHECK(harness.sent[1].contains("result"));
  }

  TEST_CASE("a flood of open requests is refused, not stored") {
    Harness harness;
    harness.initialize();
    for (std::size_t i = 0; i <= kMaxRequestsInFlight; ++i)
      harness.request(i, "later");
    REQUIRE(harness.sent.size() == 1);
    CHECK(harness.sent[0]["id"] == kMaxRequestsInFlight);
    CHECK(harness.sent[0]["error"]["code"] == -32803);
  }

  TEST_CASE("a request may be answered from within its own cancellation") {
    Harness harness;
    std::optional<Reply<Json>> held;
    std::optional<std::stop_callback<std::function<void()>>> on_stop;
    harness.server->bind().request(
        "echo", [&](const Null&, const std::stop_token& stop, Reply<Json> reply) {
          held = std::move(reply);
          on_stop.emplace(stop, [&] { held->cancelled(); });
        });
    harness.initialize();
    harness.request(1, "echo");
    harness.cancel(1);
    harness.cancel(1);
    REQUIRE(harness.sent.size() == 1);
    CHECK(harness.sent[0]["error"]["code"] == -32800);
  }

  TEST_CASE("every request gets exactly one reply, whatever the order of things") {
    std::mt19937 random(5);
    Harness harness;
    harness.initialize();
    std::map<std::string, int> n_expected;
    for (int step = 0; step < 20'000; ++step) {
      const Json id = random() % 2 == 0 ? Json(random() % 50) : Json(std::to_string(random() % 50));
      switch (random() % 4) {
        case 0:
        case 1:
          // Also ids still in use, ids seen before, methods that do not exist: one reply each.
          harness.request(id, random() % 8 == 0 ? "nothing" : "later");
          ++n_expected[to_text(id)];
          break;
        case 2:
          harness.cancel(id);
          break;
        default:
          if (harness.open.empty()) break;
          const std::size_t which = random() % harness.open.size();
          const auto [stop, reply] = harness.open[which];
          harness.open.erase(harness.open.begin() + static_cast<std::ptrdiff_t>(which));
          if (stop.stop_requested()) {
            reply.cancelled();
          } else if (random() % 8 != 0) {
            reply(Json(step));  // else dropped
          }
      }
    }
    harness.open.clear();
    CHECK(harness.server->n_requests_in_flight() == 0);
    std::map<std::string, int> n_replies;
    for (const Json& message : harness.sent)
      ++n_replies[to_text(message["id"])];
    CHECK(n_replies == n_expected);
  }
}

}  // namespace kinglet::lsp
