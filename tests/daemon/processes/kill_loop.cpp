#include "tests/daemon/processes/kill_loop.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::test {

namespace {

constexpr const char* kText =
    "import os\n\n\ndef main(folders):\n    for folder in folders:\n        ";
constexpr int kLine = 5;
constexpr int kColumn = 8;

/// An editor that types at the end of one file.
class Typist {
 public:
  explicit Typist(const Home& home) : file_(home / "repository/main.py"), editor_(home) {
    std::filesystem::create_directory(file_.parent_path());
    std::ofstream(file_) << kText;
    uri_ = "file://" + file_.string();
    editor_.initialize(file_.parent_path());
    editor_.notify("textDocument/didOpen",
                   {{"textDocument",
                     {{"uri", uri_}, {"languageId", "python"}, {"version", 1}, {"text", kText}}}});
  }

  Editor& editor() { return editor_; }

  /// Replaces what was typed before.
  void type(const std::string& text) {
    editor_.notify("textDocument/didChange",
                   {{"textDocument", {{"uri", uri_}, {"version", ++version_}}},
                    {"contentChanges",
                     {{{"range",
                        {{"start", {{"line", kLine}, {"character", kColumn}}},
                         {"end", {{"line", kLine}, {"character", column_}}}}},
                       {"text", text}}}}});
    column_ = kColumn + static_cast<int>(text.size());
  }

  /// Gives the parse worker something to do.
  void save(std::uint64_t round) {
    std::ofstream(file_) << kText << "pass\n\n\ndef version_" << round << "(): pass\n";
    editor_.notify("textDocument/didSave", {{"textDocument", {{"uri", uri_}}}});
  }

  int ask() {
    return editor_.request("textDocument/inlineCompletion",
                           {{"textDocument", {{"uri", uri_}}},
                            {"position", {{"line", kLine}, {"character", column_}}},
                            {"context", {{"triggerKind", 2}}}});
  }

 private:
  std::filesystem::path file_;
  Editor editor_;
  std::string uri_;
  int version_ = 1;
  int column_ = kColumn;
};

std::uint64_t kill_all(const Home& home, const std::string& verb) {
  const auto pids = home.processes(verb);
  return static_cast<std::uint64_t>(
      std::count_if(pids.begin(), pids.end(), [](pid_t pid) { return ::kill(pid, SIGKILL) == 0; }));
}

}  // namespace

KillLoopFigures run_kill_loop(const KillLoop& loop) {
  const Home home;
  home.write_config({{"backend", "cpu"}, {"threads", 1}});
  Typist typist(home);
  typist.editor().call("kinglet/ready", Json::object());
  const Json pid = home.status()["pid"];

  KillLoopFigures figures;
  for (std::uint64_t round = loop.first_round; round < loop.first_round + loop.n_rounds; ++round) {
    CAPTURE(round);
    std::mt19937_64 random(loop.seed * 1'000'003 + round);
    typist.type("print(folder" + std::to_string(random() % 1000));
    typist.save(round);
    const int id = typist.ask();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 50'000));
    if (random() % 2 == 0) {
      figures.n_engine_kills += kill_all(home, "engine");
    } else {
      figures.n_parse_worker_kills += kill_all(home, "parse-worker");
    }
    const Json answer = typist.editor().response(id);
    if (answer.contains("error")) {
      ++figures.n_errors;
    } else {
      CHECK(answer["result"]["items"].is_array());
    }
    const Json next = typist.editor().response(typist.ask());
    CHECK(next["result"]["items"].is_array());
    CHECK(typist.editor().call("kinglet/status", nullptr)["result"]["pid"] == pid);
    const auto& others = typist.editor().notifications();
    CHECK(std::none_of(others.begin(), others.end(), [](const Json& message) {
      return !message.contains("method");  // a second answer to some request
    }));
  }
  CHECK(typist.editor().quit() == 0);
  return figures;
}

}  // namespace kinglet::test
