// One keystroke through all the processes: the real program, a real repository, the model that
// comes with Kinglet.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

#include "daemon/lsp_client.h"
#include "lsp/uri.h"

namespace {

namespace fs = std::filesystem;
using kinglet::daemon::LspClient;
using kinglet::lsp::Json;

constexpr const char* kHelpers = R"(def frobnicate_widget(widget, strength):
    """Turns a widget as far as it goes."""
    return widget.turn(strength)


def measure_widget(widget):
    return widget.size
)";

constexpr const char* kMain = R"(import helpers


def main(widgets):
    total = 0
    for widget in widgets:
        helpers.frobnicate_widget(widget, 3)
        total += 
    return total
)";

// A repository of two files and folders for one daemon, all of them private to one test.
class World {
 public:
  World() {
    char pattern[] = "/tmp/kinglet-keystroke-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    for (const char* name : {"config", "cache", "state", "runtime", "repository"}) {
      fs::create_directory(folder_ / name);
    }
    fs::permissions(folder_ / "runtime", fs::perms::owner_all);
    ::setenv("XDG_CONFIG_HOME", (folder_ / "config").c_str(), 1);
    ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    ::setenv("XDG_STATE_HOME", (folder_ / "state").c_str(), 1);
    ::setenv("XDG_RUNTIME_DIR", (folder_ / "runtime").c_str(), 1);
    write("helpers.py", kHelpers);
    write("main.py", kMain);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { fs::remove_all(folder_); }

  fs::path repository() const { return folder_ / "repository"; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(repository() / name) << text;
  }

 private:
  fs::path folder_;
};

// An editor with main.py open.
class Editor {
 public:
  Editor(const World& world, std::vector<std::string> flags)
      : client_(start(std::move(flags))),
        uri_(kinglet::lsp::uri_from_path((world.repository() / "main.py").string())) {
    client_.on_notification([this](const std::string& method, const Json& params) {
      if (method != "$/progress" || !params["value"].contains("insertText")) return;
      stream_.push_back(params["value"]["insertText"]);
      if (on_stream_) on_stream_();
    });
    ask("initialize",
        {{"processId", nullptr},
         {"rootUri", kinglet::lsp::uri_from_path(world.repository().string())},
         {"capabilities", {{"experimental", {{"kinglet", {{"inlineStream", true}}}}}}}});
    tell("initialized", Json::object());
    tell("textDocument/didOpen",
         {{"textDocument",
           {{"uri", uri_}, {"languageId", "python"}, {"version", 1}, {"text", kMain}}}});
  }

  Json ask(std::string_view method, Json params) {
    auto answer = client_.request(method, std::move(params));
    REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().message));
    return *std::move(answer);
  }
  void tell(std::string_view method, Json params) {
    REQUIRE(client_.notify(method, std::move(params)).has_value());
  }
  Json place() const { return {{"textDocument", {{"uri", uri_}}}, {"position", position_}}; }
  /// The document is these two, with the cursor in between.
  void change(const std::string& before, const std::string& after) {
    tell("textDocument/didChange",
         {{"textDocument", {{"uri", uri_}, {"version", ++version_}}},
          {"contentChanges", {{{"text", before + after}}}}});
    position_ = {{"line", std::count(before.begin(), before.end(), '\n')},
                 {"character", before.size() - (before.rfind('\n') + 1)}};
  }
  Json completion_params() const {
    Json params = place();
    params["context"] = {{"triggerKind", 2}};
    params["partialResultToken"] = "stream";
    return params;
  }
  std::string complete() {
    stream_.clear();
    const Json result = ask("textDocument/inlineCompletion", completion_params());
    REQUIRE(result.contains("items"));
    return result["items"].empty() ? "" : result["items"][0]["insertText"];
  }
  /// Runs at each streamed text.
  void on_stream(std::function<void()> action) { on_stream_ = std::move(action); }
  const std::vector<std::string>& stream() const { return stream_; }
  LspClient& client() { return client_; }

 private:
  static LspClient start(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "lsp");
    auto client = LspClient::start(std::move(flags), KINGLET_PROGRAM);
    REQUIRE_MESSAGE(client.has_value(), (client ? "" : client.error().message));
    return *std::move(client);
  }

  LspClient client_;
  std::string uri_;
  int version_ = 1;
  Json position_ = {{"line", 7}, {"character", 17}};
  std::vector<std::string> stream_;
  std::function<void()> on_stream_;
};

}  // namespace

TEST_SUITE("daemon/keystroke") {
  TEST_CASE("ghost text streams, grows, and ends as the answer says") {
    const World world;
    Editor editor(world, {"--standalone"});
    const Json ready = editor.ask("kinglet/ready", Json::object());
    REQUIRE(ready["repositories"].size() == 1);
    CHECK(ready["repositories"][0]["state"] == "ready");
    CHECK(ready["repositories"][0]["files"] == 2);
    CHECK(ready["repositories"][0]["definitions"] >= 3);

    const std::string text = editor.complete();
    CHECK_FALSE(text.empty());
    REQUIRE(editor.stream().size() >= 2);
    for (std::size_t i = 1; i < editor.stream().size(); ++i) {
      CHECK(editor.stream()[i].starts_with(editor.stream()[i - 1]));
    }
    CHECK(editor.stream().back() == text);

    // The second time nearly all of the prompt is there already, and the text is the same.
    CHECK(editor.complete() == text);
    const Json last = editor.ask("kinglet/status", Json::object())["lastCompletion"];
    CHECK(last["promptTokens"] > 0);
    CHECK(last["generatedTokens"] > 0);
  }

  TEST_CASE("typed lines cost what they hold themselves, before a pause and after it") {
    const World world;
    // What was reused is known of completions that end by themselves.
    world.write(".kinglet.json", R"({"maxNewTokens": 1})");
    Editor editor(world, {"--standalone"});
    editor.ask("kinglet/ready", Json::object());
    const std::string after = "\n    return total\n";
    std::string before = kMain;
    before.resize(before.size() - after.size());
    editor.complete();
    const auto type_line = [&](const std::string& line) {
      before += line;
      editor.change(before, after);
      editor.complete();
      const Json last = editor.ask("kinglet/status", Json::object())["lastCompletion"];
      return last["promptTokens"].get<int>() - last["reusedTokens"].get<int>();
    };
    const auto first_typed_line = [&] {
      const Json parts = editor.ask("kinglet/context", editor.place())["parts"];
      const auto typed = std::find_if(
          parts.begin(), parts.end(), [](const Json& part) { return part["reason"] == "typed"; });
      REQUIRE(typed != parts.end());
      return (*typed)["line"].get<int>();
    };
    for (int i = 0; i < 8; ++i)
      CHECK(type_line("1\n        total -= ") <= 16);
    CHECK(first_typed_line() == 8);
    // The pause: a layout is made at the cursor's line, and its prompt is computed already.
    for (int i = 0; i < 100 && first_typed_line() == 8; ++i)
      ::usleep(100'000);
    CHECK(first_typed_line() == 16);
    CHECK(type_line("2\n        total += ") <= 16);
  }

  TEST_CASE("the prompt holds the signature of a helper in another file, within its budget") {
    const World world;
    Editor editor(world, {"--standalone"});
    editor.ask("kinglet/ready", Json::object());
    const Json context = editor.ask("kinglet/context", editor.place());
    CHECK(context["tokens"] <= context["budget"]);
    bool found = false;
    std::size_t n_tokens = 0;
    for (const Json& part : context["parts"]) {
      n_tokens += part["tokens"].get<std::size_t>();
      if (part["path"] != "helpers.py") continue;
      const std::string text = part["text"];
      found = found || text.find("def frobnicate_widget(widget, strength)") != std::string::npos;
      CHECK(part["age"] <= 3600);
    }
    CHECK(found);
    CHECK(n_tokens == context["tokens"]);
    CHECK(context["ids"].size() == n_tokens);
  }

  TEST_CASE("an engine killed in the middle costs nothing but time") {
    const World world;
    Editor editor(world, {"--standalone"});
    editor.ask("kinglet/ready", Json::object());
    const std::string undisturbed = editor.complete();

    const Json before = editor.ask("kinglet/status", Json::object());
    bool killed = false;
    editor.on_stream([&] {
      if (!std::exchange(killed, true)) ::kill(before["engine"]["pid"].get<pid_t>(), SIGKILL);
    });
    CHECK(editor.complete() == undisturbed);
    CHECK(killed);
    CHECK(editor.complete() == undisturbed);
    const Json after = editor.ask("kinglet/status", Json::object());
    CHECK(after["pid"] == before["pid"]);
    CHECK(after["engine"]["pid"] != before["engine"]["pid"]);
  }

  TEST_CASE("a parse worker killed in the middle costs nothing") {
    const World world;
    Editor editor(world, {"--standalone"});
    editor.ask("kinglet/ready", Json::object());
    const std::string undisturbed = editor.complete();
    const Json before = editor.ask("kinglet/status", Json::object());
    editor.on_stream([&] {
      for (const Json& pid : before["parseWorkers"]["pids"])
        ::kill(pid.get<pid_t>(), SIGKILL);
    });
    CHECK(editor.complete() == undisturbed);
    editor.on_stream({});

    // A saved file is parsed by the next worker.
    world.write("main.py", std::string(kMain) + "\n\ndef another_one():\n    pass\n");
    editor.tell("textDocument/didSave",
                {{"textDocument", {{"uri", editor.place()["textDocument"]["uri"]}}}});
    const auto definitions = [&] {
      return editor.ask("kinglet/status", Json::object())["repositories"][0]["definitions"]
          .get<int>();
    };
    const int had = before["repositories"][0]["definitions"];
    while (definitions() == had)
      ::usleep(10'000);
    CHECK(definitions() == had + 1);
    CHECK(editor.ask("kinglet/status", Json::object())["pid"] == before["pid"]);
  }

  TEST_CASE("a newer request answers the older one with null") {
    const World world;
    Editor editor(world, {"--standalone"});
    editor.ask("kinglet/ready", Json::object());
    const auto older =
        editor.client().send_request("textDocument/inlineCompletion", editor.completion_params());
    const auto newer =
        editor.client().send_request("textDocument/inlineCompletion", editor.completion_params());
    REQUIRE(older.has_value());
    REQUIRE(newer.has_value());
    const auto newer_answer = editor.client().wait_for(*newer);
    REQUIRE(newer_answer.has_value());
    CHECK(newer_answer->contains("items"));
    const auto older_answer = editor.client().wait_for(*older);
    REQUIRE(older_answer.has_value());
    CHECK(older_answer->is_null());
  }

  TEST_CASE("without a model the answer says so and the session goes on") {
    const World world;
    Editor editor(world, {"--standalone", "--model", "/nowhere/model.gguf"});
    const auto answer =
        editor.client().request("textDocument/inlineCompletion", editor.completion_params());
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().message.find("/nowhere/model.gguf") != std::string::npos);
    CHECK(editor.ask("kinglet/status", Json::object()).contains("pid"));
  }

  TEST_CASE("a repository's own file narrows what is completed and indexed there") {
    const World world;
    world.write(".kinglet.json", R"({"exclude": ["helpers.py"], "maxNewTokens": 1})");
    {
      Editor editor(world, {"--standalone"});
      const Json ready = editor.ask("kinglet/ready", Json::object());
      CHECK(ready["repositories"][0]["files"] == 2);  // main.py and .kinglet.json
      editor.complete();
      // One more says anew the token that the typed text may end within.
      CHECK(editor.ask("kinglet/status", Json::object())["lastCompletion"]["generatedTokens"] <= 2);
    }
    world.write(".kinglet.json", R"({"enabled": false})");
    Editor editor(world, {"--standalone"});
    CHECK(editor.complete().empty());
  }
}
