// Secrets in open documents, in indexed files and in ignored ones: none may be in what a model is
// told, nor in a log.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"
#include "tests/indexer/context/planted_secrets.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

// Names that all files share, so that each is similar to each.
constexpr const char* kUse = "connect_store(account, open_channel(store_name, region));\n";

class PlantedRepository {
 public:
  PlantedRepository() {
    home.write_config({{"clang", "off"},
                       {"backend", "cpu"},
                       {"logLevel", "debug"},
                       {"contextTokens", 1024},
                       {"maxNewTokens", 1}});
    fs::create_directories(root / ".git");
    write(".gitignore", "ignored/\n");
    for (std::size_t i = 0; i < planted.size(); ++i) {
      write(path_of(i), text_of(i));
      write("ignored/" + path_of(i), text_of(i));
    }
  }

  std::string path_of(std::size_t i) const {
    return std::to_string(i) + "/" + planted[i].file_name;
  }
  std::string text_of(std::size_t i) const { return kUse + planted[i].text() + kUse; }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << text;
  }

  void check_none_in(const std::string& text) const {
    for (const PlantedSecret& secret : planted) {
      CAPTURE(secret.text());
      CHECK(text.find(secret.value) == std::string::npos);
    }
  }

  Home home;
  fs::path root = home / "repository";
  std::vector<PlantedSecret> planted = planted_secrets();
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Json position_behind(const std::string& text, std::size_t at) {
  const std::string before = text.substr(0, at);
  return {{"line", std::ranges::count(before, '\n')}, {"character", at - (before.rfind('\n') + 1)}};
}

}  // namespace

TEST_SUITE("daemon/planted_secrets") {
  TEST_CASE("none of many planted secrets reaches a prompt or a log") {
    const PlantedRepository site;
    REQUIRE(site.planted.size() >= 50);
    std::string answers;
    {
      Editor editor(site.home);
      editor.initialize(site.root);
      editor.call("kinglet/ready", Json::object());
      for (std::size_t i = 0; i < site.planted.size(); ++i) {
        // Every other one as it is on the disk and indexed, the others ignored, with an edit.
        const bool is_ignored = i % 2 == 1;
        const std::string name = (is_ignored ? "ignored/" : "") + site.path_of(i);
        const std::string text = (is_ignored ? "unsaved();\n" : "") + site.text_of(i);
        const Json document = {{"uri", "file://" + (site.root / name).string()}};
        Json opened = document;
        opened.update({{"languageId", ""}, {"version", 1}, {"text", text}});
        editor.notify("textDocument/didOpen", {{"textDocument", opened}});
        const std::size_t behind = text.find(site.planted[i].value) + site.planted[i].value.size();
        for (const std::size_t at : {behind, text.find('\n', behind) + 1, text.size()}) {
          const Json place = {{"textDocument", document}, {"position", position_behind(text, at)}};
          const Json answer = editor.call("kinglet/context", place);
          REQUIRE_MESSAGE(answer.contains("result"), answer.dump());
          answers += answer.dump();
        }
        // What is wrong in a message may be logged; the rest of it may not.
        editor.notify("textDocument/didChange",
                      {{"textDocument", document}, {"contentChanges", site.planted[i].value}});
        editor.call("kinglet/nothing", {{"text", text}});
        if (i % 8 != 0) continue;
        editor.call("textDocument/inlineCompletion",
                    {{"textDocument", document},
                     {"position", position_behind(text, text.size())},
                     {"context", {{"triggerKind", 1}}}});
      }
      editor.quit();
    }
    const auto outcome =
        site.home.run({"context", (site.root / site.path_of(0)).string() + ":2:999", "--explain"});
    CHECK(outcome.exit_code == 0);
    site.check_none_in(answers);
    site.check_none_in(outcome.output);
    // The places were near them, and what is similar was packed.
    CHECK(answers.find("***") != std::string::npos);
    CHECK(answers.find("\"similar\"") != std::string::npos);
    CHECK(answers.find("\"signature\"") != std::string::npos);

    std::size_t n_logs = 0;
    for (const auto& entry : fs::recursive_directory_iterator(site.home.paths().state)) {
      if (!entry.is_regular_file()) continue;
      CAPTURE(entry.path());
      const std::string log = read(entry.path());
      site.check_none_in(log);
      // A chunk's text is no error message either.
      CHECK(log.find("open_channel(") == std::string::npos);
      n_logs += log.empty() ? 0 : 1;
    }
    CHECK(n_logs > 0);
  }
}

}  // namespace kinglet::test
