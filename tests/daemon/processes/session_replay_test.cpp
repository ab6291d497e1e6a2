#include "daemon/processes/session_replay.h"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lsp/transport.h"
#include "tests/lsp/scripted_session.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;
using lsp::to_text;
using Lines = std::vector<std::string>;

Json message(const char* method, Json params) {
  return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
}

Json request(const Json& id, const char* method, Json params) {
  Json request = message(method, std::move(params));
  request["id"] = id;
  return request;
}

Json reply(const Json& id, Json result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

// A session whose daemon is played by the test: every message by hand.
struct ByHand {
  SessionReplay replay;

  explicit ByHand(const char* encoding = "utf-16") {
    send(request(0, "initialize", {{"rootUri", "file:///r"}}));
    CHECK(receive(reply(0, {{"capabilities", {{"positionEncoding", encoding}}}})) != "");
    send(message("initialized", Json::object()));
  }
  // What goes on to the daemon, or "".
  std::string send(const Json& json) { return replay.from_editor(to_text(json)).value_or(""); }
  // What goes on to the editor, or "", or the error.
  std::string receive(const Json& json) {
    const auto passed = replay.from_daemon(to_text(json));
    return passed ? passed->value_or("") : "error: " + passed.error().message;
  }
  void open(const char* text, int version = 1) {
    send(message(
        "textDocument/didOpen",
        {{"textDocument",
          {{"uri", "file:///a.c"}, {"languageId", "c"}, {"version", version}, {"text", text}}}}));
  }
};

// "METHOD" or "reply ID" or "error ID CODE" of each.
Lines kinds(const Lines& bodies) {
  Lines kinds;
  for (const std::string& body : bodies) {
    const Json json = Json::parse(body);
    if (json.contains("method")) {
      kinds.push_back(json["method"]);
    } else if (json.contains("error")) {
      kinds.push_back("error " + to_text(json["id"]) + " " + to_text(json["error"]["code"]));
    } else {
      kinds.push_back("reply " + to_text(json["id"]));
    }
  }
  return kinds;
}

// An editor, a relay and a real server, which the test may kill.
struct Wired {
  SessionReplay replay;
  std::unique_ptr<lsp::test::ScriptedSession> daemon =
      std::make_unique<lsp::test::ScriptedSession>();
  std::vector<Json> editor;  // what it received

  void to_daemon(const std::string& body) {
    daemon->server().feed(lsp::write_frame(body));
    for (const std::string& output : daemon->take_output()) {
      if (output.rfind("log: ", 0) == 0) continue;
      const auto passed = replay.from_daemon(output);
      REQUIRE(passed);
      if (*passed) editor.push_back(Json::parse(**passed));
    }
  }
  void send(const Json& json) {
    if (const auto body = replay.from_editor(to_text(json))) to_daemon(*body);
  }
  void kill() {
    daemon.reset();
    for (const std::string& body : replay.daemon_lost())
      editor.push_back(Json::parse(body));
  }
  void restart() {
    daemon = std::make_unique<lsp::test::ScriptedSession>();
    for (const std::string& body : replay.daemon_found())
      to_daemon(body);
  }
  void initialize() {
    send(request(0, "initialize", {{"capabilities", Json::object()}}));
    send(message("initialized", Json::object()));
    editor.clear();
  }
  void change(int version, int line, int from, int to, const std::string& text) {
    send(message("textDocument/didChange",
                 {{"textDocument", {{"uri", "file:///a.c"}, {"version", version}}},
                  {"contentChanges",
                   {{{"range",
                      {{"start", {{"line", line}, {"character", from}}},
                       {"end", {{"line", line}, {"character", to}}}}},
                     {"text", text}}}}}));
  }
  Json document() {
    send(request("doc", "test/text", {{"uri", "file:///a.c"}}));
    const Json result = editor.back().value("result", Json());
    editor.pop_back();
    return result;
  }
};

}  // namespace

TEST_SUITE("daemon/session_replay") {
  TEST_CASE("a session without a death passes as it is") {
    ByHand session;
    const Json completion = request(1, "textDocument/inlineCompletion", {{"x", 1}});
    CHECK(session.send(completion) == to_text(completion));
    const Json answer = reply(1, {{"items", Json::array()}});
    CHECK(session.receive(answer) == to_text(answer));
    const Json asked = request(1, "workspace/configuration", nullptr);
    CHECK(session.receive(asked) == to_text(asked));
    CHECK(session.send(reply(1, "yes")) == to_text(reply(1, "yes")));
    CHECK(session.replay.from_editor("not JSON") == "not JSON");
    CHECK(!session.replay.is_over());
  }

  TEST_CASE("a new daemon learns everything, and the editor sees nothing of it") {
    Wired session;
    session.initialize();
    session.send(message(
        "textDocument/didOpen",
        {{"textDocument",
          {{"uri", "file:///a.c"}, {"languageId", "c"}, {"version", 3}, {"text", "int 😀;\n"}}}}));
    session.change(4, 0, 4, 6, "x");
    session.kill();
    session.change(9, 0, 5, 5, "yz");  // typed while there is no daemon
    session.restart();
    CHECK(session.editor.empty());
    CHECK(session.document() == Json{{"text", "int xyz;\n"}, {"version", 9}, {"isSynced", true}});
    session.change(10, 0, 0, 4, "");
    CHECK(session.document()["text"] == "xyz;\n");
    CHECK(session.editor.empty());
  }

  TEST_CASE("a document known to be wrong stays known to be wrong") {
    Wired session;
    session.initialize();
    session.send(
        message("textDocument/didOpen",
                {{"textDocument",
                  {{"uri", "file:///a.c"}, {"languageId", "c"}, {"version", 1}, {"text", "a"}}}}));
    session.change(2, 7, 0, 0, "?");
    session.kill();
    session.restart();
    CHECK(session.document()["isSynced"] == false);
    session.send(message("textDocument/didChange",
                         {{"textDocument", {{"uri", "file:///a.c"}, {"version", 3}}},
                          {"contentChanges", {{{"text", "whole"}}}}}));
    CHECK(session.document() == Json{{"text", "whole"}, {"version", 3}, {"isSynced", true}});
  }

  TEST_CASE("closed documents stay closed, settings and folders are the last ones") {
    ByHand session;
    session.open("text");
    session.send(message("textDocument/didClose", {{"textDocument", {{"uri", "file:///a.c"}}}}));
    session.send(message("workspace/didChangeConfiguration", {{"settings", 1}}));
    session.send(message("workspace/didChangeConfiguration", {{"settings", 2}}));
    const auto folders = [&](const char* added, const char* removed) {
      session.send(message("workspace/didChangeWorkspaceFolders",
                           {{"event",
                             {{"added", {{{"uri", added}, {"name", "n"}}}},
                              {"removed", {{{"uri", removed}, {"name", "n"}}}}}}}));
    };
    folders("file:///one", "file:///none");
    folders("file:///two", "file:///one");
    session.replay.daemon_lost();
    const auto out = session.replay.daemon_found();
    CHECK(kinds(out) == Lines{"initialize", "initialized", "workspace/didChangeConfiguration"});
    const Json params = Json::parse(out[0])["params"];
    CHECK(params["rootUri"] == "file:///r");
    CHECK(params["workspaceFolders"] == Json{{{"uri", "file:///two"}, {"name", "n"}}});
    CHECK(Json::parse(out[2])["params"]["settings"] == 2);
  }

  TEST_CASE("an open completion is repeated once, a command never") {
    ByHand session;
    session.send(request(1, "textDocument/inlineCompletion", {{"n", 1}}));
    session.send(request("c", "workspace/executeCommand", {{"command", "x"}}));
    session.send(request(3, "kinglet/status", nullptr));
    session.receive(reply(3, "answered"));
    CHECK(kinds(session.replay.daemon_lost()) == Lines{"error \"c\" -32803"});
    const auto out = session.replay.daemon_found();
    CHECK(kinds(out) == Lines{"initialize", "initialized", "textDocument/inlineCompletion"});
    CHECK(Json::parse(out[2])["id"] == 1);
    CHECK(kinds(session.replay.daemon_lost()) == Lines{"error 1 -32803"});
    CHECK(kinds(session.replay.daemon_found()) == Lines{"initialize", "initialized"});
  }

  TEST_CASE("what is asked while there is no daemon waits for the next, even a command") {
    ByHand session;
    session.replay.daemon_lost();
    CHECK(session.send(request("c", "workspace/executeCommand", {{"command", "x"}})) == "");
    CHECK(session.send(request(2, "kinglet/status", nullptr)) == "");
    CHECK(session.send(message("$/cancelRequest", {{"id", 2}})) == "");
    CHECK(kinds(session.replay.daemon_found()) == Lines{"initialize",
                                                        "initialized",
                                                        "workspace/executeCommand",
                                                        "kinglet/status",
                                                        "$/cancelRequest"});
  }

  TEST_CASE("what cannot be understood while there is no daemon waits for the next one's error") {
    ByHand session;
    session.replay.daemon_lost();
    const std::string without_version = R"({"id":7,"method":"kinglet/status"})";
    CHECK(session.replay.from_editor(without_version) == std::nullopt);
    const auto out = session.replay.daemon_found();
    REQUIRE(out.size() == 3);
    CHECK(out.back() == without_version);
    session.replay.daemon_lost();
    CHECK(session.replay.daemon_found().size() == 2);
  }

  TEST_CASE("an id of the editor's that looks like the relay's is the editor's") {
    ByHand session;
    const Json id = "kinglet-relay-1-initialize";
    session.send(request(id, "kinglet/status", nullptr));
    CHECK(session.receive(reply(id, 5)) == to_text(reply(id, 5)));
    session.replay.daemon_lost();
    CHECK(session.replay.daemon_found().size() == 2);
    session.send(request(id, "kinglet/status", nullptr));
    CHECK(session.receive(reply(id, 6)) == to_text(reply(id, 6)));
  }

  TEST_CASE("what was cancelled is answered as cancelled, not repeated") {
    ByHand session;
    session.send(request(1, "textDocument/inlineCompletion", nullptr));
    session.send(message("$/cancelRequest", {{"id", 1}}));
    CHECK(kinds(session.replay.daemon_lost()) == Lines{"error 1 -32800"});
  }

  TEST_CASE("an initialize still open is repeated, and its reply is the editor's") {
    SessionReplay replay;
    const std::string initialize = to_text(request("i", "initialize", Json::object()));
    replay.from_editor(initialize);
    CHECK(replay.daemon_lost().empty());
    CHECK(replay.daemon_found() == Lines{initialize});
    const std::string answer = to_text(reply("i", {{"capabilities", Json::object()}}));
    CHECK(*replay.from_daemon(answer) == answer);
  }

  TEST_CASE("an answer to a daemon that is gone goes to nobody") {
    ByHand session;
    CHECK(session.receive(request(1, "workspace/configuration", nullptr)) != "");
    session.replay.daemon_lost();
    session.replay.daemon_found();
    // The new daemon counts from 1 as well; the editor sees another id and its answer finds back.
    const Json asked = Json::parse(session.receive(request(1, "workspace/configuration", nullptr)));
    CHECK(asked["id"] != 1);
    CHECK(session.send(reply(1, "for the dead")) == "");
    CHECK(session.send(reply(asked["id"], "for the living")) ==
          to_text(reply(1, "for the living")));
    CHECK(session.send(reply(asked["id"], "twice")) == "");
  }

  TEST_CASE("bars end and registrations are withdrawn with the daemon that made them") {
    ByHand session;
    const auto progress = [&](const char* token, const char* kind) {
      session.receive(message("$/progress", {{"token", token}, {"value", {{"kind", kind}}}}));
    };
    progress("t1", "begin");
    progress("t2", "begin");
    progress("t2", "end");
    session.receive(request(
        1, "client/registerCapability", {{"registrations", {{{"id", "r"}, {"method", "m"}}}}}));
    const auto out = session.replay.daemon_lost();
    REQUIRE(kinds(out) == Lines{"$/progress", "client/unregisterCapability"});
    CHECK(Json::parse(out[0])["params"] == Json{{"token", "t1"}, {"value", {{"kind", "end"}}}});
    CHECK(Json::parse(out[1])["params"] ==
          Json{{"unregisterations", {{{"id", "r"}, {"method", "m"}}}}});
    session.replay.daemon_found();
    CHECK(session.send(reply(Json::parse(out[1])["id"], nullptr)) == "");
    CHECK(session.replay.daemon_lost().empty());
  }

  TEST_CASE("a new daemon that refuses, or counts otherwise, ends the session with a reason") {
    ByHand session("utf-8");
    session.replay.daemon_lost();
    const Json id = Json::parse(session.replay.daemon_found().at(0))["id"];
    CHECK(session.receive(reply(id, {{"capabilities", {{"positionEncoding", "utf-8"}}}})) == "");
    CHECK(session.receive(reply(id, {{"capabilities", Json::object()}})) ==
          "error: The new daemon counts columns in utf-16, the editor in utf-8. Restart the "
          "editor's language client.");
    const Json refusal = {
        {"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", -32803}, {"message", "no room"}}}};
    CHECK(session.receive(refusal) ==
          "error: The new daemon refused the session: no room. Restart the editor's language "
          "client.");
  }

  TEST_CASE("after shutdown no daemon is needed") {
    ByHand session;
    session.send(request(1, "kinglet/status", nullptr));
    session.send(request(2, "shutdown", nullptr));
    CHECK(session.replay.is_over());
    CHECK(kinds(session.replay.daemon_lost()) == Lines{"reply 2"});
    CHECK(kinds(session.replay.give_up("the daemon is gone")) == Lines{"error 1 -32803"});
    CHECK(!session.replay.has_exited());
    session.send(message("exit", nullptr));
    CHECK(session.replay.has_exited());
    CHECK(session.replay.exit_code() == 0);
    CHECK(SessionReplay().exit_code() == 1);
  }

  TEST_CASE("a message that is not the protocol's changes nothing") {
    SessionReplay replay;
    CHECK(replay.from_editor(R"({"method":"exit"})") == R"({"method":"exit"})");
    CHECK(!replay.has_exited());
    CHECK(replay.from_editor(R"([])") == "[]");
    CHECK(replay.from_editor(R"({"jsonrpc":"2.0","method":"textDocument/didOpen","params":7})"));
    CHECK(replay.from_editor(
        R"({"jsonrpc":"2.0","method":"workspace/didChangeWorkspaceFolders","params":{"event":5}})"));
    CHECK(replay.from_daemon("not JSON") == std::nullopt);
    CHECK(replay.from_daemon("7") == std::nullopt);
    replay.daemon_lost();
    CHECK(replay.daemon_found().empty());
  }

  TEST_CASE("every request gets one reply and the text holds, whenever daemons die") {
    std::mt19937 random(3);
    Wired session;
    session.initialize();
    session.send(
        message("textDocument/didOpen",
                {{"textDocument",
                  {{"uri", "file:///a.c"}, {"languageId", "c"}, {"version", 0}, {"text", ""}}}}));
    std::string text;
    bool is_alive = true;
    int n_requests = 0;
    for (int step = 1; step < 3000; ++step) {
      switch (random() % 8) {
        case 0:
          if (is_alive) {
            session.kill();
          } else {
            session.restart();
          }
          is_alive = !is_alive;
          break;
        case 1:
        case 2: {
          static constexpr const char* kMethods[] = {
              "test/later", "test/stubborn", "test/drop", "textDocument/nothing", "test/throw"};
          session.send(request(++n_requests, kMethods[random() % 5], nullptr));
          break;
        }
        case 3:
          session.send(message("test/release", nullptr));
          break;
        case 4:
          session.send(message("$/cancelRequest", {{"id", n_requests}}));
          break;
        default: {
          const std::string inserted(1, static_cast<char>('a' + random() % 26));
          const auto at = static_cast<int>(random() % (text.size() + 1));
          text.insert(static_cast<std::size_t>(at), inserted);
          session.change(step, 0, at, at, inserted);
        }
      }
    }
    if (!is_alive) session.restart();
    CHECK(session.document()["text"] == text);
    session.send(message("test/release", nullptr));
    std::vector<int> n_replies(static_cast<std::size_t>(n_requests) + 1);
    for (const Json& received : session.editor) {
      REQUIRE(received["id"].is_number());
      ++n_replies.at(received["id"].get<std::size_t>());
    }
    CHECK(n_replies[0] == 0);
    for (int id = 1; id <= n_requests; ++id) {
      CAPTURE(id);
      CHECK(n_replies[static_cast<std::size_t>(id)] == 1);
    }
  }
}

}  // namespace kinglet::daemon
