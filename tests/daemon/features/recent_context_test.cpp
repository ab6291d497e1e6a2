// What someone just wrote in one file is known where they go next, with the real program.
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

class Visitor {
 public:
  Visitor() {
    home_.write_config({{"clang", "off"},
                        {"navigation", "on"},
                        {"backend", "cpu"},
                        {"contextTokens", 512},
                        {"maxNewTokens", 1}});
    fs::create_directories(root_ / ".git");
    for (int i = 0; i < 40; ++i)
      write("module_" + std::to_string(i) + ".py", "def weigh(load, unit):\n    return unit\n");
    write("user.py", kUser);
    editor_.emplace(home_);
    editor_->initialize(root_);
    editor_->call("kinglet/ready", Json::object());
  }
  ~Visitor() { editor_->quit(); }

  static constexpr const char* kUser = "import scale\n\ndef use():\n    result = begin()\n    \n";

  void open(const std::string& name, const std::string& text) {
    editor_->notify(
        "textDocument/didOpen",
        {{"textDocument",
          {{"uri", uri(name)}, {"languageId", "python"}, {"version", 1}, {"text", text}}}});
  }
  void insert(const std::string& name, int line, const std::string& text) {
    const Json at = {{"line", line}, {"character", 0}};
    editor_->notify(
        "textDocument/didChange",
        {{"textDocument", {{"uri", uri(name)}, {"version", ++version_}}},
         {"contentChanges", {{{"range", {{"start", at}, {"end", at}}}, {"text", text}}}}});
  }
  /// Until the index has it: an edited document is parsed apart.
  void await_symbol(const std::string& name) {
    Json found;
    do {
      found = editor_->call("workspace/symbol", {{"query", name}});
      REQUIRE_MESSAGE(found.contains("result"), found.dump());
    } while (found["result"].empty());
  }
  /// What a completion in user.py would be made from.
  std::string context() {
    const Json answer = editor_->call("kinglet/context",
                                      {{"textDocument", {{"uri", uri("user.py")}}},
                                       {"position", {{"line", 4}, {"character", 4}}}});
    REQUIRE_MESSAGE(answer.contains("result"), answer.dump());
    std::string all;
    for (const Json& part : answer["result"]["parts"]) {
      if (part["reason"] == "signature" || part["reason"] == "similar")
        all += part["path"].get<std::string>() + "\n" + part["text"].get<std::string>();
    }
    return all;
  }

 private:
  std::string uri(const std::string& name) const { return "file://" + (root_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name) << text;
  }

  Home home_;
  fs::path root_ = home_ / "repository";
  std::optional<Editor> editor_;
  int version_ = 1;
};

}  // namespace

TEST_SUITE("daemon/features/recent_context") {
  TEST_CASE("what was just written elsewhere is in the prompt, whatever names it") {
    Visitor visitor;
    visitor.open("user.py", Visitor::kUser);
    CHECK(visitor.context().find("module_7.py") == std::string::npos);
    visitor.open("module_7.py", "def weigh(load, unit):\n    return unit\n");
    visitor.insert("module_7.py", 2, "\ndef grams_of(crate):\n    return 1\n");
    visitor.await_symbol("grams_of");
    CHECK(visitor.context().find("def grams_of(crate): ...") != std::string::npos);
    // Typing here does not make what was written there any older.
    const std::string before = visitor.context();
    visitor.insert("user.py", 4, "    total = 1\n");
    CHECK(visitor.context() == before);
  }
}

}  // namespace kinglet::test
