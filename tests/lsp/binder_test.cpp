#include "lsp/binder.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

namespace kinglet::lsp {
namespace {

struct Outcome {
  int n_answers = 0;
  std::optional<Response<Json>> response;
};

RawReply reply_into(Outcome& outcome) {
  return RawReply("m", [&outcome](Response<Json> response) {
    ++outcome.n_answers;
    outcome.response = std::move(response);
  });
}

Outcome call(const Binder& bind, const Json& params) {
  Outcome outcome;
  REQUIRE(bind.find_request("m") != nullptr);
  (*bind.find_request("m"))(params, std::stop_token(), reply_into(outcome));
  return outcome;
}

Response<std::string> greet(const TextDocumentIdentifier& id) {
  return "hello " + id.uri;
}

struct Feature {
  std::string greeting = "hi ";
  Response<std::string> greet(const TextDocumentIdentifier& id) { return greeting + id.uri; }
  void greet_later(const TextDocumentIdentifier& id,
                   const std::stop_token& /*stop*/,
                   const Reply<std::string>& reply) const {
    reply(greeting + id.uri);
  }
};

}  // namespace

TEST_SUITE("lsp/binder") {
  TEST_CASE("functions, members and lambdas bind, now or later") {
    const Json params = {{"uri", "u"}};
    Feature feature;
    {
      Binder bind;
      bind.request("m", greet);
      CHECK(**call(bind, params).response == "hello u");
    }
    {
      Binder bind;
      bind.request("m", &Feature::greet, &feature);
      CHECK(**call(bind, params).response == "hi u");
    }
    {
      Binder bind;
      bind.request("m", &Feature::greet_later, &feature);
      CHECK(**call(bind, params).response == "hi u");
    }
    {
      Binder bind;
      bind.request("m", [](const Null&, const std::stop_token&, const Reply<Null>& reply) {
        reply(Null{});
      });
      CHECK((*call(bind, params).response)->is_null());
    }
  }

  TEST_CASE("params of the wrong type never reach the handler") {
    Binder bind;
    bool called = false;
    bind.request("m", [&](const TextDocumentIdentifier&) -> Response<Null> {
      called = true;
      return Null{};
    });
    const Outcome outcome = call(bind, Json{{"uri", 1}});
    CHECK(!called);
    CHECK(outcome.response->error().code == -32602);
    CHECK(outcome.response->error().message == "params.uri: expected a string, got a number");

    bind.notification("n", [&](const TextDocumentIdentifier&) { called = true; });
    CHECK(!(*bind.find_notification("n"))(Json()));
    CHECK(!called);
    CHECK((*bind.find_notification("n"))(Json{{"uri", "u"}}));
    CHECK(called);
  }

  TEST_CASE("a dropped reply answers with an error, once") {
    Outcome outcome;
    {
      const std::vector<RawReply> copies(3, reply_into(outcome));
      CHECK(!copies.back().is_answered());
    }
    CHECK(outcome.n_answers == 1);
    CHECK(outcome.response->error().message == "m: the handler gave no answer");

    Outcome answered;
    {
      const Reply<Null> reply(reply_into(answered));
      reply(Null{});
      CHECK(reply.is_answered());
    }
    CHECK(answered.n_answers == 1);
  }

  TEST_CASE("a Result's error becomes the protocol's") {
    Outcome outcome;
    const Reply<Null> reply(reply_into(outcome));
    const Result<Null> result = kinglet::fail(ErrorCode::kUnavailable, "the engine is gone");
    reply(result);
    CHECK(outcome.response->error().code == -32803);
  }

  TEST_CASE("unbound methods are not found") {
    CHECK(Binder().find_request("m") == nullptr);
    CHECK(Binder().find_notification("m") == nullptr);
  }
}

}  // namespace kinglet::lsp
