// `kinglet eval`, as a person types it, with the model that comes with Kinglet.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using test::Home;
using test::Json;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::size_t n_lines(const fs::path& path) {
  const std::string text = read(path);
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

struct Site {
  Site() {
    home.write_config({{"clang", "off"}, {"backend", "cpu"}, {"threads", 1}});
    write_repository(root);
  }
  static void write_repository(const fs::path& folder) {
    fs::create_directories(folder / ".git");
    write(folder / "door.py",
          "class Door:\n"
          "    def __init__(self, name, handle):\n"
          "        self.name = name\n"
          "        self.handle = handle\n"
          "\n"
          "    def open_door(self, visitor):\n"
          "        if self.handle.is_locked(visitor):\n"
          "            raise ValueError(self.name)\n"
          "        return self.handle.turn(visitor)\n");
    write(folder / "house.py",
          "from door import Door\n"
          "\n"
          "def enter(visitor, doors):\n"
          "    opened = []\n"
          "    for door in doors:\n"
          "        opened.append(door.open_door(visitor))\n"
          "    return opened\n"
          "\n"
          "def build_house(names, handle):\n"
          "    return [Door(name, handle) for name in names]\n");
  }
  test::Outcome run(const std::vector<std::string>& flags) const {
    std::vector<std::string> arguments = {
        "eval", root.string(), "--holes", "6", "--output", output.string()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return home.run(std::move(arguments));
  }
  Json rows(const std::vector<std::string>& more = {}) const {
    const fs::path json = home / "all.json";
    std::vector<std::string> flags = {"--json", json.string()};
    flags.insert(flags.end(), more.begin(), more.end());
    const auto outcome = run(flags);
    INFO(outcome.output);
    REQUIRE(outcome.exit_code == 0);
    return Json::parse(read(json));
  }
  std::string error(const std::vector<std::string>& flags) const {
    const auto outcome = run(flags);
    CHECK(outcome.exit_code == 1);
    return outcome.output;
  }

  Home home;
  fs::path root = home / "repository";
  fs::path output = home / "results.jsonl";
};

}  // namespace

TEST_SUITE("daemon/commands/eval") {
  TEST_CASE("a table of variants, by kind, and rows that one can count again") {
    const Site site;
    const auto outcome = site.run({"--no-context"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 0);
    for (const char* part : {"\nall: 6 holes of 2 files  ",
                             " tokens, no context  ",
                             " tokens, no context less ",
                             "\nexact match, %",
                             "\nedit similarity, %",
                             "\nchrF, %",
                             "\nidentifiers, F1, %",
                             "\nparses as before, %",
                             "\ncharacters kept",
                             "\nfirst token, ms",
                             "\nline: "})
      CHECK_MESSAGE(contains(outcome.output, part), part);
    CHECK(n_lines(site.output) == 12);

    const Json all = site.rows({"--no-context"});
    REQUIRE(all["rows"].size() == 2);
    double edits = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      const Json& with = all["rows"][0][i];
      const Json& without = all["rows"][1][i];
      CHECK(with["context"] == "packed");
      CHECK(without["context"] == "none");
      CHECK(with["begin"] == without["begin"]);
      CHECK(with["prompt_tokens"] >= without["prompt_tokens"]);
      edits += with["edit_similarity"].get<double>();
    }
    const Json others = site.rows({"--bm25"});
    REQUIRE(others["rows"].size() == 2);
    CHECK(others["rows"][0] == all["rows"][0]);
    CHECK(others["rows"][1][0]["context"] == "bm25");
    const Json& measure = all["summary"][0]["measures"][1];
    CHECK(measure["measure"] == "edit_similarity");
    CHECK(measure["variants"][0]["mean"].get<double>() == doctest::Approx(edits / 6));
    // Nothing was computed again.
    CHECK(n_lines(site.output) == 18);
  }

  TEST_CASE("a completion is what an editor gets whose file has the hole") {
    const Site site;
    const Json all = site.rows();
    std::size_t n_said = 0;
    for (const Json& row : all["rows"][0]) {
      // On the disk, so that the index has it, too.
      const fs::path folder = site.home / ("hidden-" + row["key"].get<std::string>());
      const fs::path root = folder / "repository";
      Site::write_repository(root);
      const fs::path file = root / row["path"].get<std::string>();
      const std::string text = read(file);
      const auto begin = row["begin"].get<std::size_t>();
      const std::string hidden = text.substr(0, begin) + text.substr(row["end"].get<std::size_t>());
      write(file, hidden);
      const std::size_t line_begin = begin - text.substr(0, begin).find_last_of('\n') - 1;

      test::Editor editor(site.home, {"--standalone"});
      editor.initialize(root);
      editor.call("kinglet/ready", Json::object());
      const std::string uri = "file://" + file.string();
      editor.notify("textDocument/didOpen",
                    {{"textDocument",
                      {{"uri", uri}, {"languageId", "python"}, {"version", 1}, {"text", hidden}}}});
      Json params = {{"textDocument", {{"uri", uri}}},
                     {"position",
                      {{"line", row["line"].get<int>() - 1},
                       {"character", text[begin - 1] == '\n' ? 0 : line_begin}}}};
      const Json context = editor.call("kinglet/context", params)["result"];
      CHECK(context["tokens"] == row["prompt_tokens"]);
      params["context"] = {{"triggerKind", 1}};
      const Json items = editor.call("textDocument/inlineCompletion", params)["result"]["items"];
      const auto theirs = items.empty() ? "" : items[0]["insertText"].get<std::string>();
      const auto ours = row["text"].get<std::string>();
      // An editor may ask for more or less tokens.
      const std::size_t n_common = std::min(ours.size(), theirs.size());
      INFO(row.dump());
      CHECK(ours.substr(0, n_common) == theirs.substr(0, n_common));
      n_said += n_common > 0 ? 1 : 0;
      CHECK(editor.quit() == 0);
    }
    CHECK(n_said > 3);
  }

  TEST_CASE("it goes on where it was ended") {
    const Site site;
    {
      test::Child child({"eval",
                         site.root.string(),
                         "--holes",
                         "6",
                         "--no-context",
                         "--output",
                         site.output.string()},
                        site.home.environment());
      test::wait_until("a first row", [&] { return n_lines(site.output) > 0; });
      child.signal(SIGINT);
      child.wait();
    }
    const std::string before = read(site.output);
    CHECK(site.run({"--no-context"}).exit_code == 0);
    const std::string after = read(site.output);
    CHECK(after.starts_with(before.substr(0, before.rfind('\n') + 1)));
    CHECK(n_lines(site.output) == 12);
    // Another seed, budget or state of the files has results of its own.
    write(site.root / "new.py", "def shut(door):\n    return door.handle.turn(None)\n");
    for (const std::vector<std::string>& flags :
         {std::vector<std::string>{}, {"--budget", "300"}, {"--seed", "2"}}) {
      const std::size_t n_before = n_lines(site.output);
      CHECK(site.run(flags).exit_code == 0);
      const std::size_t n_after = n_lines(site.output);
      CHECK(n_after > n_before);
      CHECK(site.run(flags).exit_code == 0);
      CHECK(n_lines(site.output) == n_after);
    }
  }

  TEST_CASE("without --output it is kept in the cache folder") {
    const Site site;
    const auto outcome = site.home.run({"eval", site.root.string(), "--holes", "2"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 0);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(site.home.paths().cache / "eval"))
      names.push_back(entry.path().filename());
    REQUIRE(names.size() == 1);
    CHECK(names[0].starts_with("repository-"));
    CHECK(names[0].ends_with("-kinglet-starter-1.jsonl"));
    CHECK(contains(outcome.output, names[0]));
  }

  TEST_CASE("a second model and several budgets are variants") {
    const Site site;
    const fs::path other = site.home / "other.gguf";
    fs::copy_file(KINGLET_STARTER_MODEL, other);
    const Json all = site.rows({"--compare-model", other.string(), "--budget", "200,400"});
    CHECK(all["variants"] == Json{"kinglet-starter, 200 tokens",
                                  "kinglet-starter, 400 tokens",
                                  "other, 200 tokens",
                                  "other, 400 tokens"});
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(all["rows"][0][i]["prompt_tokens"] <= 200);
      // The same model by another name says the same.
      CHECK(all["rows"][1][i]["text"] == all["rows"][3][i]["text"]);
    }
  }

  TEST_CASE("what cannot be done is said with the way out") {
    const Site site;
    const auto error = [&](const std::vector<std::string>& flags) { return site.error(flags); };
    CHECK(contains(error({"--budget", "0"}), "a budget of 0 tokens holds no prompt; give 1 to "));
    CHECK(contains(error({"--budget", "4000000"}), "raise \"contextTokens\" in config.json"));
    CHECK(contains(error({"--model", "/no/model.gguf"}), "/no/model.gguf"));
    CHECK(contains(error({"--compare-model", "/no/other.gguf"}), "/no/other.gguf"));
    CHECK(contains(error({"--kinds", "line,word"}), "there are no holes of the kind \"word\""));
    CHECK(!fs::exists(site.output));
    write(site.home / "mine.txt", "mine\n");
    const auto mine =
        site.home.run({"eval", site.root.string(), "--resume", (site.home / "mine.txt").string()});
    CHECK(mine.exit_code == 1);
    CHECK(contains(mine.output, "give another file with --output"));
    CHECK(read(site.home / "mine.txt") == "mine\n");
    CHECK(site.run({"--holes", "0"}).exit_code == 2);

    const auto none = site.home.run({"eval", (site.home / "none").string()});
    CHECK(none.exit_code == 1);
    CHECK(contains(none.output, "no such folder: "));
    fs::create_directories(site.home / "empty" / ".git");
    const auto empty = site.home.run({"eval", (site.home / "empty").string()});
    CHECK(empty.exit_code == 1);
    CHECK(contains(empty.output, "there is nothing to hide in "));
    site.home.write_config({{"enabled", false}});
    CHECK(contains(error({}), "completions are turned off here"));
  }
}

}  // namespace kinglet::daemon
