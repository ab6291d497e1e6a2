// Sessions that share a daemon's services, with worker_double in the workers' place.
#include "daemon/session.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

class Daemon {
 public:
  /// A file that find_model() takes for a model.
  std::string model(const std::string& name) const {
    std::ofstream(folder_ / name) << "x";
    return folder_ / name;
  }

  std::unique_ptr<Session> session(Json settings) {
    auto session =
        std::make_unique<Session>(services, SessionOptions{.send = [](const std::string&) {}});
    send(*session,
         {{"id", 1},
          {"method", "initialize"},
          {"params",
           {{"capabilities", Json::object()}, {"initializationOptions", std::move(settings)}}}});
    return session;
  }

  static void send(Session& session, Json message) {
    message["jsonrpc"] = "2.0";
    const std::string body = message.dump();
    session.receive("Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  static void open(Session& session, const std::string& uri, const std::string& text) {
    send(session,
         {{"method", "textDocument/didOpen"},
          {"params",
           {{"textDocument",
             {{"uri", uri}, {"languageId", "c"}, {"version", 1}, {"text", text}}}}}});
  }
  static void ask_context(Session& session, const std::string& uri, const Json& position) {
    send(session,
         {{"id", 7},
          {"method", "kinglet/context"},
          {"params", {{"textDocument", {{"uri", uri}}}, {"position", position}}}});
  }

  /// A client with a folder, and what it is sent.
  std::unique_ptr<Session> session_in(const std::string& root, Json capabilities, Json& sent) {
    auto session = std::make_unique<Session>(
        services, SessionOptions{.send = [&sent](const std::string& bytes) {
          sent.push_back(Json::parse(bytes.substr(bytes.find("\r\n\r\n") + 4)));
        }});
    send(*session,
         {{"id", 1},
          {"method", "initialize"},
          {"params",
           {{"capabilities", std::move(capabilities)},
            {"initializationOptions", {{"enabled", true}}},
            {"rootUri", "file://" + root}}}});
    send(*session, {{"method", "initialized"}, {"params", Json::object()}});
    return session;
  }
  std::string root() const { return folder_.path(); }
  std::string uri(const std::string& name) const { return "file://" + root() + "/" + name; }

  /// The file name of the model that the engine has, once it has one.
  std::string loaded() {
    std::optional<std::string> name;
    services.engine.when_loaded([&](const auto& model) {
      name = model ? std::filesystem::path((*model)->info.name).filename().string()
                   : model.error().message;
    });
    io_.restart();
    while (!name)
      REQUIRE(io_.run_one_for(std::chrono::seconds(60)) == 1);
    return *name;
  }

 private:
  ServicesOptions options() const {
    ServicesOptions options;
    options.config.model = model("own");
    options.engine.spawn.program = WORKER_DOUBLE;
    options.parse.spawn.program = WORKER_DOUBLE;
    return options;
  }

  test::TemporaryFolder folder_;
  boost::asio::io_context io_{1};

 public:
  Services services{io_.get_executor(), options()};
};

}  // namespace

TEST_SUITE("daemon/session") {
  TEST_CASE("a session that chose a model and ends gives the daemon's own back") {
    Daemon daemon;
    CHECK(daemon.loaded() == "own");
    auto session = daemon.session({{"model", daemon.model("chosen")}});
    CHECK(daemon.loaded() == "chosen");
    session.reset();
    CHECK(daemon.loaded() == "own");
  }

  TEST_CASE("a session that never chose leaves the model when it comes and when it goes") {
    Daemon daemon;
    const auto chooser = daemon.session({{"model", daemon.model("chosen")}});
    auto other = daemon.session({{"maxNewTokens", 3}});
    CHECK(daemon.loaded() == "chosen");
    other.reset();
    CHECK(daemon.loaded() == "chosen");
  }

  TEST_CASE("of several choices the latest that is left holds") {
    Daemon daemon;
    auto first = daemon.session({{"model", daemon.model("first")}});
    auto second = daemon.session({{"model", daemon.model("second")}});
    auto third = daemon.session({{"model", daemon.model("third")}});
    CHECK(daemon.loaded() == "third");
    second.reset();
    CHECK(daemon.loaded() == "third");
    third.reset();
    CHECK(daemon.loaded() == "first");
    first.reset();
    CHECK(daemon.loaded() == "own");
  }

  TEST_CASE("a client that can is asked to tell of changed files, else the system is") {
    Daemon daemon;
    Json sent = Json::array();
    const auto asked = daemon.session_in(
        daemon.root(),
        {{"workspace", {{"didChangeWatchedFiles", {{"dynamicRegistration", true}}}}}},
        sent);
    Json registration;
    for (const Json& message : sent) {
      if (message.value("method", "") == "client/registerCapability") registration = message;
    }
    REQUIRE(registration.is_object());
    const Json& first = registration["params"]["registrations"][0];
    CHECK(first["method"] == "workspace/didChangeWatchedFiles");
    CHECK(first["registerOptions"] == Json::parse(R"({"watchers": [{"globPattern": "**/*"}]})"));
    const auto repository = daemon.services.repositories.all().front();
    CHECK(repository->watched_how().empty());

    Json nothing = Json::array();
    const auto other = daemon.session_in(daemon.root(), Json::object(), nothing);
    for (const Json& message : nothing)
      CHECK(message.value("method", "") != "client/registerCapability");
    CHECK(repository->watched_how() == "inotify");
  }

  TEST_CASE("a context that cannot be shown is an error that says why") {
    Daemon daemon;
    Json sent = Json::array();
    const auto session = daemon.session_in(daemon.root(), Json::object(), sent);
    const auto error = [&](const std::string& name, const Json& position) {
      Daemon::ask_context(*session, daemon.uri(name), position);
      REQUIRE(sent.back().contains("error"));
      return sent.back()["error"];
    };
    const Json start = {{"line", 0}, {"character", 0}};
    CHECK(error("a.c", start)["code"] == -32602);
    CHECK(error("a.c", start)["message"] == "document not open: " + daemon.uri("a.c"));
    Daemon::open(*session, daemon.uri("a.c"), std::string("int\0x;\n", 7));
    CHECK(error("a.c", start)["code"] == -32803);
    CHECK(error("a.c", start)["message"] ==
          daemon.root() + "/a.c is binary (a NUL byte at offset 3); open a text file");
    Daemon::open(*session, daemon.uri("b.c"), "int x;\n");
    CHECK(error("b.c", {{"line", 2}, {"character", 0}})["code"] == -32602);
    Daemon::send(*session,
                 {{"method", "workspace/didChangeConfiguration"},
                  {"params", {{"settings", {{"kinglet", {{"completions", false}}}}}}}});
    CHECK(error("b.c", start)["message"].get<std::string>().starts_with(
        "completions are turned off here: "));
  }

  TEST_CASE("a context that is cancelled is answered at once, whatever it waits for") {
    Daemon daemon;
    Json sent = Json::array();
    const auto session = daemon.session_in(daemon.root(), Json::object(), sent);
    Daemon::open(*session, daemon.uri("a.c"), "int x;\n");
    sent.clear();
    Daemon::ask_context(*session, daemon.uri("a.c"), {{"line", 0}, {"character", 0}});
    CHECK(sent.empty());
    Daemon::send(*session, {{"method", "$/cancelRequest"}, {"params", {{"id", 7}}}});
    REQUIRE(sent.size() == 1);
    CHECK(sent[0]["id"] == 7);
    CHECK(sent[0]["error"]["code"] == -32800);
    // The model comes, and nobody asks for it any more.
    CHECK(daemon.loaded() == "own");
    CHECK(std::count_if(sent.begin(), sent.end(), [](const Json& message) {
            return message.contains("id") && message["id"] == 7;
          }) == 1);
  }

  TEST_CASE("a session whose settings no longer name a model gives it back, too") {
    Daemon daemon;
    const auto session = daemon.session({{"maxNewTokens", 3}});
    Daemon::send(*session,
                 {{"method", "workspace/didChangeConfiguration"},
                  {"params", {{"settings", {{"model", daemon.model("chosen")}}}}}});
    CHECK(daemon.loaded() == "chosen");
    Daemon::send(*session,
                 {{"method", "workspace/didChangeConfiguration"},
                  {"params", {{"settings", Json::object()}}}});
    CHECK(daemon.loaded() == "own");
  }
}

}  // namespace kinglet::daemon
