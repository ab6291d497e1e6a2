#include "tests/daemon/index_ordeals.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/process_memory.h"
#include "tests/daemon/home.h"
#include "tests/daemon/index_history.h"
#include "tests/indexer/faulty_vfs.h"

namespace kinglet::test {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A home whose daemon indexes and has no model to load.
void without_model(const Home& home) {
  home.write_config({{"model", "/nowhere.gguf"}});
}

/// Of the one folder that it has open.
std::string dump_of(Editor& editor) {
  std::string text;
  for (int page = 0;; ++page) {
    const Json answer = editor.call("kinglet/dump", {{"page", page}})["result"];
    text += answer["text"];
    if (answer["last"] == true) return text;
  }
}

}  // namespace

DamageFigures run_damaged_stores(const Ordeal& ordeal) {
  DamageFigures figures;
  TemporaryFolder folder;
  const auto root = folder / "repo";
  const auto store = folder / "index.sqlite3";
  const ChangingTree tree(root, ordeal.seed, 40);
  // So far back that the store relies on stamps.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::string fresh = fresh_dump(root);
  {
    IndexWorld world(root, store);
    world.refresh();
  }
  std::ifstream in(store, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  for (std::uint64_t i = 0; i < ordeal.n_rounds; ++i) {
    const std::uint64_t round = ordeal.first_round + i;
    std::mt19937_64 random(ordeal.seed * 1'000'003 + round);
    for (const char* suffix : {"-wal", "-shm", "-journal"})
      fs::remove(store.string() + suffix);
    std::ofstream(store, std::ios::binary | std::ios::trunc) << indexer::damaged(good, random);
    if (random() % 4 == 0) {
      std::ofstream(store.string() + "-wal", std::ios::binary)
          << indexer::damaged(good.substr(0, 8192), random);
    }
    IndexWorld world(root, store);
    world.refresh();
    figures.n_parsed += world.repository().status().n_parsed;
    figures.n_recalled +=
        world.repository().status().n_found - world.repository().status().n_changed;
    INFO("round " << round);
    REQUIRE(difference(world.dump(), fresh) == "");
  }
  return figures;
}

KillFigures run_index_kills(const Ordeal& ordeal) {
  KillFigures figures;
  Home home;
  without_model(home);
  const auto root = home / "repo";
  ChangingTree tree(root, ordeal.seed * 1'000'003 + ordeal.first_round, 60);
  std::string history;
  for (std::uint64_t i = 0; i < ordeal.n_rounds; ++i) {
    for (std::size_t n = tree.below(3); n > 0; --n)
      history += tree.step() + "; ";
    Editor editor(home, {"--standalone"});
    editor.initialize(root);
    const int ready = editor.request("kinglet/ready", nullptr);
    if (i % 10 == 9) {
      editor.response(ready);
      // What happened while it was looked for is found by the watch.
      const std::string fresh = fresh_dump(root);
      const auto deadline = Clock::now() + kPatience;
      std::string grown = dump_of(editor);
      while (grown != fresh && Clock::now() < deadline)
        grown = dump_of(editor);
      INFO("round " << ordeal.first_round + i << ": " << history);
      REQUIRE(difference(grown, fresh) == "");
      history.clear();
      ++figures.n_settled;
      continue;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(tree.below(150'000)));
    if (tree.below(4) == 0) history += tree.step() + " meanwhile; ";
    editor.process().signal(SIGKILL);
    editor.process().wait();
    ++figures.n_kills;
    history += "kill; ";
  }
  return figures;
}

ManyFilesFigures run_many_files(std::size_t n_files, std::uint64_t memory_limit) {
  constexpr std::size_t kInFolder = 1000;
  ManyFilesFigures figures;
  Home home;
  home.write_config({{"backend", "cpu"},
                     {"contextTokens", 2000},
                     {"navigation", "on"},
                     {"maxFiles", 1'000'000},
                     {"memoryLimit", memory_limit}});
  const auto root = home / "repo";
  fs::create_directories(root / ".git");
  for (std::size_t i = 0; i < n_files; ++i) {
    const fs::path folder = root / ("d" + std::to_string(i / kInFolder));
    if (i % kInFolder == 0) fs::create_directory(folder);
    const std::string number = std::to_string(i);
    std::ofstream(folder / ("f" + number + ".c"))
        << "int function_" + number + "(int x) {\n  return x + " + number + ";\n}\n";
  }
  for (double* seconds : {&figures.cold_seconds, &figures.warm_seconds}) {
    const auto start = Clock::now();
    Editor editor(home, {"--standalone"});
    std::atomic<bool> is_done = false;
    std::thread looking([&] {
      while (!is_done) {
        figures.peak_bytes =
            std::max(figures.peak_bytes, daemon::memory_of(editor.process().pid()).resident);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    editor.initialize(root);
    Json repository;
    do {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      repository = editor.call("kinglet/status", nullptr)["result"]["repositories"][0];
    } while (repository["state"] != "ready" && repository["state"] != "failed");
    *seconds = seconds_since(start);
    CHECK(repository["state"] == "ready");
    CHECK(repository["files"] == n_files);
    figures.in_files = repository["fileMemoryBytes"];
    for (const std::size_t i : {std::size_t{0}, n_files / 3, n_files - 1}) {
      const std::string name = "function_" + std::to_string(i);
      const Json found = editor.call("workspace/symbol", {{"query", name}})["result"];
      REQUIRE(!found.empty());
      CHECK(found[0]["name"] == name);
    }
    const std::string text =
        "int use(int x) {\n  return function_" + std::to_string(n_files - 1) + "(x);\n  \n}\n";
    const Json document = {{"uri", "file://" + (root / "d0/use.c").string()}};
    Json opened = document;
    opened.update({{"languageId", "c"}, {"version", 1}, {"text", text}});
    editor.notify("textDocument/didOpen", {{"textDocument", opened}});
    const Json context =
        editor.call("kinglet/context",
                    {{"textDocument", document}, {"position", {{"line", 2}, {"character", 2}}}});
    REQUIRE_MESSAGE(context.contains("result"), context.dump());
    CHECK(context["result"]["tokens"] <= 2000);
    CHECK(context["result"]["rendered"].get<std::string>().find(
              "int function_" + std::to_string(n_files - 1) + "(int x)") != std::string::npos);
    figures.pack_seconds = context["result"]["seconds"];
    is_done = true;
    looking.join();
    editor.quit();
  }
  return figures;
}

SwitchFigures run_branch_switches(const Ordeal& ordeal, std::size_t n_files) {
  SwitchFigures figures;
  Home home;
  home.write_config({{"completions", false}, {"navigation", "on"}, {"clang", "off"}});
  const auto root = home / "repo";
  ChangingTree tree(root, ordeal.seed, 1);
  const auto path_of = [](std::size_t i) {
    return "m" + std::to_string(i % 97) + "/f" + std::to_string(i) + ".c";
  };
  for (std::size_t i = 0; i < n_files; ++i)
    tree.write(path_of(i), tree.source());
  tree.write("same.c", "int in_both_branches(void) { return 1; }\n");
  tree.write("other.c", "int in_one_branch_main(void) { return 1; }\n");
  tree.git("add -A");
  tree.git("commit -q -m many");
  tree.git("checkout -q -b other");
  for (std::size_t i = 0; i < n_files; i += 10)
    tree.write(path_of(i), tree.source());
  tree.write("other.c", "int in_one_branch_other(void) { return 1; }\n");
  tree.git("add -A");
  tree.git("commit -q -m changed");

  Editor editor(home);
  editor.initialize(root);
  editor.call("kinglet/ready", nullptr);
  const std::string uri = "file://" + (root / path_of(1)).string();
  editor.notify("textDocument/didOpen",
                {{"textDocument",
                  {{"uri", uri}, {"languageId", "c"}, {"version", 1}, {"text", "int typed;\n"}}}});
  std::vector<double> latencies;
  int version = 1;
  for (std::uint64_t round = 0; round < ordeal.n_rounds; ++round) {
    const std::string branch = (ordeal.first_round + round) % 2 == 0 ? "main" : "other";
    std::thread switching([&] { tree.git("checkout -q " + branch); });
    const auto start = Clock::now();
    // Types ten keys a second, for as long as the switch and what follows it take.
    for (int key = 0; key < 15; ++key) {
      editor.notify("textDocument/didChange",
                    {{"textDocument", {{"uri", uri}, {"version", ++version}}},
                     {"contentChanges",
                      {{{"text",
                         "int typed_" + std::to_string(version) +
                             "(void) {\n  return in_both_branches();\n}\n"}}}}});
      const auto timed = [&](const std::string& method, const Json& params) {
        const auto asked = Clock::now();
        Json answer = editor.call(method, params)["result"];
        latencies.push_back(seconds_since(asked) * 1e3);
        return answer;
      };
      timed("kinglet/status", nullptr);
      // The old branch's answer or the new one's, never both; none while the file on disk is not
      // what is indexed any more.
      const Json symbols = timed("workspace/symbol", {{"query", "in_one_branch"}});
      REQUIRE(symbols.size() <= 1);
      figures.n_silent += symbols.empty() ? 1 : 0;
      const Json places =
          timed("textDocument/definition",
                {{"textDocument", {{"uri", uri}}}, {"position", {{"line", 1}, {"character", 12}}}});
      REQUIRE(places.size() == 1);
      CHECK(places[0]["uri"] == "file://" + (root / "same.c").string());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    switching.join();
    const std::string fresh = fresh_dump(root);
    const auto deadline = Clock::now() + kPatience;
    std::string grown = dump_of(editor);
    while (grown != fresh && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      grown = dump_of(editor);
    }
    figures.settle_seconds = std::max(figures.settle_seconds, seconds_since(start));
    INFO("switch " << ordeal.first_round + round);
    REQUIRE(difference(grown, fresh) == "");
  }
  std::ranges::sort(latencies);
  figures.n_requests = latencies.size();
  if (latencies.empty()) return figures;
  figures.p50_ms = latencies[latencies.size() / 2];
  figures.p99_ms = latencies[latencies.size() * 99 / 100];
  figures.worst_ms = latencies.back();
  return figures;
}

}  // namespace kinglet::test
