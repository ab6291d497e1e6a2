// What an editor is told of C and C++ by libclang, of the real program.
#include "daemon/features/compiler_answer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/clang/library.h"
#include "tests/daemon/home.h"
#include "tests/support/skip.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using test::Json;

bool has_libclang() {
  static const bool kHas = indexer::clang::Library::load().has_value();
  return kHas;
}

#define REQUIRE_LIBCLANG() \
  if (!has_libclang()) SKIP("libclang")

/// A repository, and an editor in it that shows files.
class Desk {
 public:
  explicit Desk(const std::string& clang = "open") {
    home_.write_config({{"completions", false}, {"navigation", "on"}, {"clang", clang}});
    fs::create_directories(root() / ".git");
  }
  ~Desk() {
    if (editor_) editor_->quit();
  }

  fs::path root() const { return home_ / "repository"; }
  std::string uri(const std::string& path) const { return "file://" + (root() / path).string(); }
  void write(const std::string& path, const std::string& text) {
    std::ofstream(root() / path) << text;
    texts_[path] = text;
  }
  void write_database(const std::vector<std::string>& sources) {
    Json commands = Json::array();
    for (const auto& source : sources)
      commands.push_back({{"directory", root().string()}, {"file", source}, {"command", "c++"}});
    write("compile_commands.json", commands.dump());
  }

  void open(const std::string& path) {
    if (!editor_) {
      editor_.emplace(home_);
      editor_->initialize(root());
      editor_->call("kinglet/ready", Json::object());
    }
    editor_->notify(
        "textDocument/didOpen",
        {{"textDocument",
          {{"uri", uri(path)}, {"languageId", "cpp"}, {"version", 1}, {"text", texts_.at(path)}}}});
  }
  void type(const std::string& path, const std::string& text) {
    texts_[path] = text;
    editor_->notify("textDocument/didChange",
                    {{"textDocument", {{"uri", uri(path)}, {"version", ++version_}}},
                     {"contentChanges", {{{"text", text}}}}});
  }

  /// At the n-th place (from 0) where the file holds `word`. Texts here are ASCII.
  Json ask(const std::string& method, const std::string& path, const std::string& word, int n = 0) {
    const std::string& text = texts_.at(path);
    std::size_t at = text.find(word);
    for (; n > 0; --n)
      at = text.find(word, at + 1);
    REQUIRE(at != std::string::npos);
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const std::size_t begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
    return editor_->call(method,
                         {{"textDocument", {{"uri", uri(path)}}},
                          {"position", {{"line", line}, {"character", at - begin}}},
                          {"context", {{"includeDeclaration", true}}}})["result"];
  }
  /// kinglet/references, which waits for libclang; asked again where the machine is slow.
  Json explain(const std::string& path, const std::string& word, int n = 0) {
    Json answer;
    test::wait_until("an answer of libclang", [&] {
      answer = ask("kinglet/references", path, word, n);
      return answer.is_object() && answer["source"] == "compiler";
    });
    return answer;
  }
  /// "path:line …", counted from 1.
  std::string places(const Json& found) const {
    std::string line;
    for (const Json& place : found) {
      line += (line.empty() ? "" : " ") + place["uri"].get<std::string>().substr(uri("").size()) +
              ":" + std::to_string(place["range"]["start"]["line"].get<int>() + 1);
    }
    return line;
  }
  Json status() { return editor_->call("kinglet/status", Json::object())["result"]; }

 private:
  test::Home home_;
  std::map<std::string, std::string> texts_;
  std::optional<test::Editor> editor_;
  int version_ = 1;
};

void write_shapes(Desk& desk) {
  desk.write("shapes.h", "int area(int side);\nint area(double radius);\n");
  desk.write("shapes.cc",
             "#include \"shapes.h\"\n"
             "int area(int side) { return side * side; }\n"
             "int area(double radius) { return int(3 * radius * radius); }\n");
  desk.write("use.cc",
             "#include \"shapes.h\"\n"
             "#define TWICE(x) (2 * (x))\n"
             "int square() { return area(1); }\n"
             "int disk() { return TWICE(area(1.5)); }\n"
             "#if 0\n"
             "int never() { return area(2); }\n"
             "#endif\n");
  desk.write("lone.cc", "#include \"shapes.h\"\nint lone() { return area(4); }\n");
  desk.write_database({"shapes.cc", "use.cc"});
}

}  // namespace

TEST_SUITE("daemon/features/compiler_answer") {
  TEST_CASE("of overloads the one that is called, in a macro's argument too") {
    REQUIRE_LIBCLANG();
    Desk desk;
    write_shapes(desk);
    desk.open("use.cc");
    const Json answer = desk.explain("use.cc", "area", 1);
    CHECK(desk.places(answer["definitions"]) == "shapes.cc:3 shapes.h:2");
    CHECK(answer["definitions"][1]["confidence"] == 1);
    // The unit that defines it is not open: syntax finds the body of the declaration.
    CHECK(answer["definitions"][0]["confidence"] < 1);
    CHECK(desk.places(desk.ask("textDocument/definition", "use.cc", "area", 0)) == "shapes.cc:2");
    CHECK(desk.places(desk.ask("textDocument/definition", "use.cc", "area", 1)) == "shapes.cc:3");
    const Json marks = desk.ask("textDocument/documentHighlight", "use.cc", "area", 1);
    REQUIRE(marks.size() == 1);
    CHECK(marks[0]["range"]["start"]["line"] == 3);
    const std::string hover =
        desk.ask("textDocument/hover", "use.cc", "area", 1)["contents"]["value"];
    CHECK(hover.find("int area(double radius)") != std::string::npos);
    CHECK(hover.find("more of this name") == std::string::npos);
  }

  TEST_CASE("references: of all units that were parsed, and by syntax of other files") {
    REQUIRE_LIBCLANG();
    Desk desk("all");
    write_shapes(desk);
    desk.open("use.cc");
    test::wait_until("all units are parsed", [&] {
      const Json clang = desk.status()["repositories"][0]["clang"];
      return clang["parsed"] == 2 && clang["waiting"] == 0;
    });
    const Json answer = desk.explain("use.cc", "area", 0);
    CHECK(desk.places(answer["definitions"]) == "shapes.cc:2 shapes.h:1");
    CHECK(answer["definitions"][0]["confidence"] == 1);
    // The call with 1.5 is none. What the preprocessor leaves out, and what has no unit, is there
    // with less confidence.
    CHECK(desk.places(answer["uses"]) == "lone.cc:2 use.cc:3 use.cc:6");
    CHECK(answer["uses"][0]["confidence"] < 1);
    CHECK(answer["uses"][1]["confidence"] == 1);
    CHECK(answer["uses"][2]["confidence"] < 1);
    CHECK(desk.places(desk.ask("textDocument/references", "use.cc", "area", 0)) ==
          "lone.cc:2 shapes.cc:2 shapes.h:1 use.cc:3");
  }

  TEST_CASE("a call of a method may be one of those that override it") {
    REQUIRE_LIBCLANG();
    Desk desk;
    desk.write("a.cc",
               "struct Base { virtual int run() { return 0; } };\n"
               "struct One : Base { int run() override { return 1; } };\n"
               "struct Two : Base { int run() override { return 2; } };\n"
               "int by_base(Base& b) { return b.run(); }\n"
               "int by_two(Two& t) { return t.run(); }\n");
    desk.write_database({"a.cc"});
    desk.open("a.cc");
    desk.explain("a.cc", "run", 1);
    CHECK(desk.places(desk.ask("textDocument/references", "a.cc", "run", 1)) ==
          "a.cc:1 a.cc:2 a.cc:4");
  }

  TEST_CASE("text that is not saved is what counts, and each keystroke is not a parse") {
    REQUIRE_LIBCLANG();
    Desk desk;
    write_shapes(desk);
    desk.open("use.cc");
    desk.explain("use.cc", "area", 0);
    std::string typed = "#include \"shapes.h\"\nint typed() { return area(";
    for (const char c : std::string("1.25); }\n")) {
      typed += c;
      desk.type("use.cc", typed);
    }
    const Json answer = desk.explain("use.cc", "area", 0);
    CHECK(desk.places(answer["definitions"]) == "shapes.cc:3 shapes.h:2");
    // The text of the disk, of which libclang has spoken before, is not pointed into.
    CHECK(desk.places(desk.ask("textDocument/references", "use.cc", "area")) ==
          "lone.cc:2 shapes.cc:3 shapes.h:2 use.cc:2");
  }

  TEST_CASE("without compile commands flags are guessed, and the answer says how sure it is") {
    REQUIRE_LIBCLANG();
    Desk desk;
    desk.write("alone.cc",
               "int pick(int);\n"
               "int pick(const char*);\n"
               "int f() { return pick(\"x\"); }\n");
    desk.open("alone.cc");
    const Json answer = desk.explain("alone.cc", "pick", 2);
    CHECK(desk.places(answer["definitions"]) == "alone.cc:2");
    CHECK(answer["definitions"][0]["confidence"].get<double>() == doctest::Approx(0.7));
    const std::string hover =
        desk.ask("textDocument/hover", "alone.cc", "pick", 2)["contents"]["value"];
    CHECK(hover.find("by libclang, 70 % sure") != std::string::npos);
  }

  TEST_CASE("an open header is read as the source that includes it reads it") {
    REQUIRE_LIBCLANG();
    Desk desk;
    desk.write("box.h", "struct Box { Number size; };\n");
    desk.write("box.cc", "using Number = int;\n#include \"box.h\"\nBox box;\n");
    desk.write_database({"box.cc"});
    desk.open("box.h");
    CHECK(desk.places(desk.explain("box.h", "Number")["definitions"]) == "box.cc:1");
  }

  TEST_CASE("with \"off\" syntax answers") {
    Desk desk("off");
    write_shapes(desk);
    desk.open("use.cc");
    CHECK(desk.ask("kinglet/references", "use.cc", "area")["source"] == "syntax");
  }
}

}  // namespace kinglet::daemon
