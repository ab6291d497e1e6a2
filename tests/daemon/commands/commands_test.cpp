// The verbs, as a person types them.
#include "daemon/commands/command.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "daemon/version.h"
#include "tests/daemon/home.h"

namespace kinglet::daemon {
namespace {

using test::Home;
using test::Json;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("daemon/commands") {
  TEST_CASE("--help shows every verb that is for people, with examples") {
    const Home home;
    const auto help = home.run({"--help"});
    CHECK(help.exit_code == 0);
    CHECK(contains(help.output, "Examples:\n  kinglet doctor"));
    for (const Command& command : all_commands()) {
      INFO(command.name);
      const bool is_shown = contains(help.output, command.help);
      CHECK(is_shown == (command.audience == Audience::kPeople));
      if (!is_shown) continue;
      CHECK(!command.examples.empty());
      const auto verb = home.run({std::string(command.name), "--help"});
      CHECK(verb.exit_code == 0);
      CHECK(contains(verb.output, "Examples:\n  kinglet " + std::string(command.name)));
    }
  }

  TEST_CASE("standard streams that are closed or full are errors, not other files") {
    const Home home;
    const std::string model = KINGLET_SOURCE_DIR "/inference/starter_model/kinglet-starter.gguf";
    std::ofstream(home / "ids.txt") << "5 6 7";
    const auto run = [&](const std::string& words) {
      const std::string shell =
          "env HOME=" + home.folder().string() + " " KINGLET_PROGRAM " " + words;
      return WEXITSTATUS(std::system(shell.c_str()));
    };
    const std::string out = home / "out";
    CHECK(run("tokenize " + model + " <&- >" + out) == 1);
    CHECK(std::filesystem::file_size(out) == 0);
    CHECK(run("models show " + model + " >/dev/full") == 1);
    CHECK(run("models show " + model + " >&-") == 1);
    CHECK(run("models show " + model + " >" + out) == 0);
    // Nothing of what is printed gets into the file that is written.
    CHECK(run("logits " + model + " --tokens " + (home / "ids.txt").string() + " --out " + out +
              " >&-") == 1);
    CHECK(std::filesystem::file_size(out) == 3 * 4096 * sizeof(float));
  }

  TEST_CASE("every file of a verb has its row") {
    const std::regex definition("\nAction (\\w+)_command\\(");
    std::set<std::string> in_files;
    for (const auto& entry :
         std::filesystem::directory_iterator(KINGLET_SOURCE_DIR "/daemon/commands")) {
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      std::smatch match;
      const std::string source = text.str();
      if (!std::regex_search(source, match, definition)) continue;
      std::string name = match[1];
      std::ranges::replace(name, '_', '-');
      in_files.insert(name);
    }
    std::set<std::string> in_rows;
    for (const Command& command : all_commands())
      in_rows.emplace(command.name);
    CHECK(in_files == in_rows);
  }

  TEST_CASE("--version; wrong usage is 2") {
    const Home home;
    CHECK(home.run({"--version"}).output == std::string("kinglet ") + kVersion + "\n");
    for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
             {}, {"fly"}, {"status", "--no-such-flag"}, {"daemon", "--idle-exit", "soon"}}) {
      CHECK(home.run(wrong).exit_code == 2);
    }
  }

  TEST_CASE("a worker started by hand says why it is of no use") {
    const Home home;
    for (const char* verb : {"engine", "parse-worker"}) {
      const auto outcome = home.run({verb});
      CHECK(outcome.exit_code == 1);
      CHECK(outcome.output ==
            "kinglet: Kinglet starts this process by itself; it is of no use alone.\n");
    }
  }

  TEST_CASE("an unknown verb is named, with the verbs that there are") {
    const Home home;
    const auto outcome = home.run({"nope", "--yes"});
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.output ==
          "kinglet: There is no verb \"nope\". The verbs are lsp, try, index, symbols, refs, "
          "search, context, eval, doctor, status, stop, logs, "
          "purge, daemon, generate, bench, logits, tokenize, models; `kinglet --help` says what "
          "they do.\n");
    CHECK(contains(home.run({"--nope"}).output,
                   "kinglet: There is no flag --nope before a verb. The verbs are lsp, "));
    CHECK(contains(home.run({}).output, "kinglet: A verb is missing. The verbs are lsp, "));
  }

  TEST_CASE("status: a socket that cannot be reached is not called a daemon that does not run") {
    const Home home;
    std::ofstream(home.paths().runtime) << "a file in the folder's place";
    const auto outcome = home.run({"status"});
    CHECK(outcome.exit_code == 1);
    CHECK(contains(
        outcome.output,
        "kinglet: Cannot connect to " + home.paths().socket().string() + ": Not a directory."));
  }

  TEST_CASE("a wrong flag is an error that names what is expected") {
    const Home home;
    const std::string message =
        "kinglet: \"backend\" in the command line's flags must be one of \"auto\" \"cpu\" "
        "\"vulkan\", not \"metal\".\n";
    for (const char* verb : {"daemon", "lsp"}) {
      const auto outcome = home.run({verb, "--backend", "metal"});
      CHECK(outcome.exit_code == 1);
      CHECK(outcome.output == message);
    }
    // Its server says it.
    std::ofstream(home / "a.c") << "int main(void) {\n  return sum(1, 2, 3);\n}\n";
    const auto shown = home.run({"try", home.folder(), "--backend", "metal"});
    CHECK(shown.exit_code == 1);
    CHECK(contains(shown.output, message));
  }

  TEST_CASE("try: completions that are turned off are not shown as none") {
    const Home home;
    std::ofstream(home / "a.c") << "int main(void) {\n  return sum(1, 2, 3);\n}\n";
    const auto outcome = home.run({"try", home.folder()});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 1);
    CHECK(
        contains(outcome.output, "kinglet: completions are turned off here: \"enabled\" is false"));
  }

  TEST_CASE("doctor: all well, with the model that comes along") {
    const Home home;
    const auto outcome = home.run({"doctor"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 0);
    CHECK(contains(outcome.output, "\nAll is well.\n"));
    CHECK(contains(outcome.output, "ok       model"));
    CHECK(contains(outcome.output, "ok       cpu"));
    CHECK(contains(outcome.output, "not running; an editor starts it"));
  }

  TEST_CASE("doctor: each thing that is wrong has its way out, and the exit code is 1") {
    const Home home;
    home.write_config({{"model", "/no/such.gguf"}, {"treads", 2}});
    std::filesystem::create_directories(home.paths().runtime);
    std::filesystem::permissions(home.paths().runtime, std::filesystem::perms::all);
    const auto outcome = home.run({"doctor"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 1);
    CHECK(contains(outcome.output, "PROBLEM  model    There is no model file /no/such.gguf. Set"));
    CHECK(contains(outcome.output, "PROBLEM  config   Unknown key \"treads\""));
    CHECK(contains(outcome.output, "is open to other users. Check what is in it and remove it"));
    CHECK(contains(outcome.output, "\n3 things to mend.\n"));
  }

  TEST_CASE("doctor: a device that is not there") {
    const Home home;
    home.write_config({{"backend", "vulkan"}, {"device", "no such card"}});
    const auto outcome = home.run({"doctor"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 1);
    CHECK(
        contains(outcome.output, "PROBLEM  device   No Vulkan device is called \"no such card\"."));
  }

  TEST_CASE("doctor: a file that is no model") {
    const Home home;
    const std::string model = home / "model.gguf";
    std::ofstream(model) << "not a model at all, but long enough to hold a header";
    home.write_config({{"model", model}});
    const auto outcome = home.run({"doctor"});
    INFO(outcome.output);
    CHECK(outcome.exit_code == 1);
    CHECK(contains(outcome.output, "PROBLEM  model"));
    CHECK(contains(outcome.output, model));
  }

  TEST_CASE("logs: what the daemon wrote; purge takes it away") {
    const Home home;
    CHECK(home.run({"logs"}).exit_code == 1);
    {
      test::Editor editor(home);
      editor.initialize(home.folder());
      CHECK(editor.quit() == 0);
    }
    const auto logs = home.run({"logs", "daemon"});
    CHECK(logs.exit_code == 0);
    CHECK(contains(logs.output, "listens on " + home.paths().socket().string()));
    CHECK(contains(logs.output, "client \"test\" with 1 folders"));
    std::ofstream(home.paths().cache / "index") << "x";

    CHECK(home.run({"purge"}).exit_code == 1);  // asked, and nobody said yes
    CHECK(std::filesystem::exists(home.paths().cache / "index"));
    const auto purge = home.run({"purge", "--yes"});
    CHECK(purge.exit_code == 0);
    CHECK(!std::filesystem::exists(home.paths().cache));
    CHECK(!std::filesystem::exists(home.paths().state));
    CHECK(std::filesystem::exists(home.paths().config_file()));
    CHECK(home.status().is_null());
  }

  TEST_CASE("logs are the user's alone and hold no code") {
    const Home home;
    test::Editor editor(home);
    editor.initialize(home.folder());
    editor.notify("textDocument/didOpen",
                  {{"textDocument",
                    {{"uri", "file:///tmp/a.c"},
                     {"languageId", "c"},
                     {"version", 1},
                     {"text", "int the_secret_of_the_house;"}}}});
    editor.process().write(test::framed("{\"the_secret_of_the_house\": "));
    editor.response(nullptr);
    CHECK(editor.quit() == 0);
    for (const auto& entry : std::filesystem::directory_iterator(home.paths().state)) {
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      CHECK(!contains(text, "the_secret_of_the_house"));
      const auto mode = std::filesystem::status(entry.path()).permissions();
      CHECK((mode & std::filesystem::perms(077)) == std::filesystem::perms::none);
    }
  }
}

}  // namespace kinglet::daemon
