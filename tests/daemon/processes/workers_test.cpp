// The real engine and parse worker behind the real daemon.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"
#include "tests/inference/synthetic_gguf.h"

namespace kinglet::daemon {
namespace {

using test::Editor;
using test::Home;
using test::Json;
using test::wait_until;

/// What all processes of a home take in memory, in MiB; pages that several share are counted once.
double memory_of(const Home& home) {
  double kib = 0;
  for (const pid_t pid : home.processes()) {
    std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; rollup >> word;) {
      double value = 0;
      if (word == "Pss:" && rollup >> value) kib += value;
    }
  }
  return kib / 1024;
}

/// A home whose model is small and real.
class HomeWithModel : public Home {
 public:
  explicit HomeWithModel(const Json& more = Json::object(),
                         const test::SyntheticModel& shape = {.layers = 1}) {
    const std::string model = *this / "model.gguf";
    test::write_synthetic_gguf(shape, model);
    Json config = {{"model", model}, {"backend", "cpu"}, {"threads", 1}};
    config.update(more);
    write_config(config);
  }

  void wait_for_engine(const std::string& state) const {
    wait_until("an engine that is " + state, [&] { return status()["engine"]["state"] == state; });
  }
};

}  // namespace

TEST_SUITE("daemon/processes/workers") {
  TEST_CASE("two relays from two folders share one daemon and one engine with one model") {
    const HomeWithModel home;
    Editor first(home);
    first.initialize(home / "config");
    Editor second(home);
    second.initialize(home / "cache");
    home.wait_for_engine("ready");
    const Json status = home.status();
    CHECK(status["clients"].size() == 2);
    CHECK(status["clients"][0]["roots"] != status["clients"][1]["roots"]);
    CHECK(status["model"]["architecture"] == "phi3");
    CHECK(home.processes("daemon") == std::vector<pid_t>{status["pid"]});
    CHECK(home.processes("engine") == std::vector<pid_t>{status["engine"]["pid"]});
    CHECK(first.quit() == 0);
    CHECK(second.quit() == 0);
    CHECK(home.run({"stop"}).exit_code == 0);
    wait_until("no process left", [&] { return home.processes().empty(); });
  }

  TEST_CASE("a second editor in another folder costs no second copy of the weights") {
    const HomeWithModel home(Json::object(),
                             {.hidden = 1024, .layers = 1, .heads = 8, .ffn = 4096});
    std::ofstream(home / "config/a.py") << "x = 1\n";
    std::ofstream(home / "cache/a.py") << "x = 1\n";
    const auto complete_in = [&](Editor& editor, const std::filesystem::path& folder) {
      editor.initialize(folder);
      home.wait_for_engine("ready");
      const std::string uri = "file://" + (folder / "a.py").string();
      editor.notify(
          "textDocument/didOpen",
          {{"textDocument",
            {{"uri", uri}, {"languageId", "python"}, {"version", 1}, {"text", "x = 1\ny = \n"}}}});
      const Json answer = editor.call("textDocument/inlineCompletion",
                                      {{"textDocument", {{"uri", uri}}},
                                       {"position", {{"line", 1}, {"character", 4}}},
                                       {"context", {{"triggerKind", 1}}}});
      CHECK(!answer.contains("error"));
    };
    Editor first(home);
    complete_in(first, home / "config");
    const double with_one = memory_of(home);
    const double weights = home.status()["model"]["modelBytes"].get<double>() / (1 << 20);
    REQUIRE(weights > 50);
    CHECK(with_one > weights);  // they have been read
    Editor second(home);
    complete_in(second, home / "cache");
    const double with_two = memory_of(home);
    MESSAGE("weights " << weights << " MiB; all processes " << with_one << " MiB with one editor, "
                       << with_two << " MiB with two");
    CHECK(with_two < with_one + weights / 2);
    CHECK(first.quit() == 0);
    CHECK(second.quit() == 0);
  }

  TEST_CASE("an engine that is killed costs nothing but itself") {
    const HomeWithModel home;
    Editor editor(home);
    editor.initialize(home.folder());
    home.wait_for_engine("ready");
    const Json before = home.status();
    // Nor does its log decide whether the next one starts.
    std::filesystem::remove_all(home.paths().state);
    for (const pid_t pid : home.processes("engine"))
      ::kill(pid, SIGKILL);
    wait_until("its death seen", [&] { return home.status()["engine"]["restarts"] == 1; });
    CHECK(home.status()["pid"] == before["pid"]);
    // The next session needs it, and has it.
    Editor other(home);
    other.initialize(home.folder());
    home.wait_for_engine("ready");
    CHECK(home.status()["engine"]["pid"] != before["engine"]["pid"]);
    CHECK(editor.quit() == 0);
    CHECK(other.quit() == 0);
  }

  TEST_CASE("a model that is deleted while the daemon runs is missed with a way out") {
    const HomeWithModel home;
    Editor editor(home);
    editor.initialize(home.folder());
    home.wait_for_engine("ready");
    std::filesystem::remove(home / "model.gguf");
    CHECK(home.status()["engine"]["state"] == "ready");  // it is mapped
    for (const pid_t pid : home.processes("engine"))
      ::kill(pid, SIGKILL);
    wait_until("its death seen", [&] { return home.status()["engine"]["restarts"] == 1; });
    Editor other(home);
    other.initialize(home.folder());
    home.wait_for_engine("failed");
    CHECK(home.status()["engine"]["problem"] ==
          (home / "model.gguf").string() +
              ": no such file; was it moved or deleted? Put it back, or give the path of another "
              "(\"model\" in config.json; `kinglet models list` shows which there are).");
    CHECK(editor.quit() == 0);
    CHECK(other.quit() == 0);
  }

  TEST_CASE("one session's model stays when another says nothing of it") {
    const HomeWithModel home;
    const std::string other_model = home / "other.gguf";
    test::write_synthetic_gguf({.layers = 2}, other_model);
    Editor first(home);
    first.initialize(home.folder());
    home.wait_for_engine("ready");
    const Json configured = home.status();
    Editor second(home, {"--model", other_model});
    second.initialize(home.folder());
    wait_until("another engine",
               [&] { return home.status()["engine"]["pid"] != configured["engine"]["pid"]; });
    home.wait_for_engine("ready");
    const Json before = home.status();
    CHECK(before["model"]["modelBytes"] != configured["model"]["modelBytes"]);
    Editor third(home);
    third.call("initialize",
               {{"processId", nullptr},
                {"rootUri", nullptr},
                {"initializationOptions", {{"contextTokens", 256}}},
                {"capabilities", Json::object()}});
    CHECK(home.status()["engine"]["pid"] == before["engine"]["pid"]);
    CHECK(home.status()["model"] == before["model"]);
    CHECK(third.quit() == 0);
    const auto wait_for_model = [&](const char* what, const Json& model) {
      wait_until(what, [&] {
        const Json status = home.status();
        return status.contains("model") && status["model"] == model;
      });
    };
    // Who spoke last and is still there decides; without such a session, the daemon's own
    // configuration.
    first.notify("workspace/didChangeConfiguration", {{"settings", {{"threads", 2}}}});
    wait_for_model("the configured model", configured["model"]);
    first.notify("workspace/didChangeConfiguration", {{"settings", Json::object()}});
    wait_for_model("the second session's model", before["model"]);
    CHECK(second.quit() == 0);
    // It is loaded when somebody needs it.
    first.notify("workspace/didChangeConfiguration", {{"settings", {{"maxNewTokens", 3}}}});
    wait_for_model("the configured model, again", configured["model"]);
    CHECK(first.quit() == 0);
  }

  TEST_CASE("workers die with a daemon that is killed") {
    const HomeWithModel home;
    Editor editor(home);
    editor.initialize(home.folder());
    home.wait_for_engine("ready");
    editor.process().signal(SIGKILL);
    for (const pid_t pid : home.processes("daemon"))
      ::kill(pid, SIGKILL);
    wait_until("no process left", [&] { return home.processes().empty(); });
  }

  TEST_CASE(
      "a file that is no model, half a model, no file: the reason is told, the daemon lives") {
    const Home home;
    const std::string model = home / "model.gguf";
    std::string expected;
    SUBCASE("no file") {
      expected = "There is no model file " + model;
    }
    SUBCASE("not GGUF") {
      std::ofstream(model) << "#!/bin/sh\n" << std::string(1000, 'x');
      expected = model;
    }
    SUBCASE("half a model") {
      test::write_synthetic_gguf({.layers = 1}, model);
      std::filesystem::resize_file(model, std::filesystem::file_size(model) / 2);
      expected = model;
    }
    home.write_config({{"model", model}, {"backend", "cpu"}});
    Editor editor(home);
    editor.initialize(home.folder());
    wait_until("the engine's failure",
               [&] { return home.status()["engine"]["state"] == "failed"; });
    const std::string problem = home.status()["engine"]["problem"];
    INFO(problem);
    CHECK(problem.find(expected) != std::string::npos);
    CHECK(editor.call("kinglet/status", nullptr)["result"]["engine"]["state"] == "failed");
    CHECK(editor.quit() == 0);
  }
}

}  // namespace kinglet::daemon
