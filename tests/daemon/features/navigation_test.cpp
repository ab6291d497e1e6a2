// Navigation as an editor asks for it, of the real program.
#include "daemon/features/navigation.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::daemon {
namespace {

using test::Editor;
using test::Home;
using test::Json;

class Site {
 public:
  explicit Site(const std::string& navigation = "on") {
    home.write_config({{"completions", false}, {"navigation", navigation}});
    std::filesystem::create_directories(root / ".git");
    write("a.h", "// Opens a file.\nint open_it(const char* name);\nstruct Box { int size; };\n");
    write("a.c", "#include \"a.h\"\nint open_it(const char* name) { return name != 0; }\n");
    write("b.c", "#include \"a.h\"\nint f(void) {\n  int é = open_it(\"ü\");\n  return é;\n}\n");
    write("notes.txt", "open_it\n");
  }

  void write(const std::string& path, const std::string& text) const {
    std::ofstream(root / path) << text;
  }
  std::string uri(const std::string& path) const { return "file://" + (root / path).string(); }

  Home home;
  std::filesystem::path root = home / "repository";
};

class Asker {
 public:
  explicit Asker(const Site& site) : site_(site), editor_(site.home) {
    capabilities = editor_.initialize(site.root)["result"]["capabilities"];
    editor_.call("kinglet/ready", Json::object());
  }
  ~Asker() { editor_.quit(); }

  void open_uri(const std::string& uri, const std::string& language, const std::string& text) {
    editor_.notify("textDocument/didOpen",
                   {{"textDocument",
                     {{"uri", uri}, {"languageId", language}, {"version", 1}, {"text", text}}}});
  }
  void open(const std::string& path, const std::string& text) {
    open_uri(site_.uri(path), "c", text);
  }
  void open(const std::string& path) {
    std::ifstream file(site_.root / path);
    open(path, std::string(std::istreambuf_iterator<char>(file), {}));
  }
  Json at(const std::string& method, const std::string& path, int line, int character) {
    return call("textDocument/" + method,
                {{"textDocument", {{"uri", site_.uri(path)}}},
                 {"position", {{"line", line}, {"character", character}}},
                 {"context", {{"includeDeclaration", true}}}});
  }
  // The result; else {"code": …}.
  Json call(const std::string& method, const Json& params) {
    const Json answer = editor_.call(method, params);
    if (answer.contains("error")) return {{"code", answer["error"]["code"]}};
    return answer["result"];
  }
  // "path:line:column …" of locations, counted from 0.
  std::string places(const Json& locations) const {
    std::string line;
    for (const Json& location : locations) {
      const std::string uri = location["uri"];
      line += (line.empty() ? "" : " ") + uri.substr(site_.uri("").size()) + ":" +
              location["range"]["start"]["line"].dump() + ":" +
              location["range"]["start"]["character"].dump();
    }
    return line;
  }

  Json capabilities;

 private:
  const Site& site_;
  Editor editor_;
};

}  // namespace

TEST_SUITE("daemon/features/navigation") {
  TEST_CASE("definition, references, hover, highlights and symbols of a small repository") {
    const Site site;
    Asker ask(site);
    for (const char* provider : {"definitionProvider",
                                 "referencesProvider",
                                 "hoverProvider",
                                 "documentHighlightProvider",
                                 "documentSymbolProvider",
                                 "workspaceSymbolProvider"}) {
      CHECK(ask.capabilities.value(provider, false));
    }
    ask.open("b.c");
    CHECK(ask.places(ask.at("definition", "b.c", 2, 12)) == "a.c:1:4");
    CHECK(ask.places(ask.at("definition", "b.c", 0, 11)) == "a.h:0:0");
    CHECK(ask.places(ask.at("definition", "b.c", 3, 9)) == "b.c:2:6");  // a local
    CHECK(ask.places(ask.at("references", "b.c", 2, 12)) == "a.c:1:4 a.h:1:4 b.c:2:10");
    CHECK(ask.at("documentHighlight", "b.c", 3, 9).size() == 2);

    const Json hover = ask.at("hover", "b.c", 2, 12);
    const std::string text = hover["contents"]["value"];
    CHECK(hover["contents"]["kind"] == "plaintext");
    CHECK(text.find("int open_it(const char* name)") != std::string::npos);
    CHECK(text.find("Opens a file.") != std::string::npos);
    CHECK(text.find("a.c:2") != std::string::npos);
    CHECK(hover["range"]["start"]["character"] == 10);  // in UTF-16, behind é

    const Json outline =
        ask.call("textDocument/documentSymbol", {{"textDocument", {{"uri", site.uri("b.c")}}}});
    REQUIRE(outline.size() == 1);
    CHECK(outline[0]["name"] == "f");
    CHECK(outline[0]["kind"] == 12);

    const Json symbols = ask.call("workspace/symbol", {{"query", "opit"}});
    REQUIRE(symbols.size() == 2);
    CHECK(symbols[0]["name"] == "open_it");
    CHECK(ask.call("workspace/symbol", {{"query", "Box.si"}})[0]["containerName"] == "Box");
    CHECK(ask.call("workspace/symbol", {{"query", ""}, {"limit", 1}}).size() == 1);
    CHECK(ask.call("workspace/symbol", {{"query", "x"}, {"kind", "dragon"}})["code"] == -32602);
  }

  TEST_CASE("an outline is of the text that is typed, saved or not") {
    const Site site;
    Asker ask(site);
    ask.open("b.c", "int first;\nvoid second(void) {}\n");
    const Json outline =
        ask.call("textDocument/documentSymbol", {{"textDocument", {{"uri", site.uri("b.c")}}}});
    REQUIRE(outline.size() == 2);
    CHECK(outline[1]["name"] == "second");
    CHECK(outline[1]["location"]["range"]["start"]["line"] == 1);
  }

  TEST_CASE("auto leaves languages alone that usually have a server, off leaves all") {
    {
      const Site site("auto");
      Asker ask(site);
      CHECK(ask.capabilities.value("definitionProvider", false));
      ask.open("b.c");
      CHECK(ask.at("definition", "b.c", 2, 12).empty());
      CHECK(ask.at("hover", "b.c", 2, 12).is_null());
      CHECK(ask.call("workspace/symbol", {{"query", "open_it"}}).empty());
      // Our own commands ask for all.
      CHECK(ask.call("kinglet/symbols", {{"query", "open_it"}}).size() == 2);
    }
    const Site site("off");
    Asker ask(site);
    CHECK(!ask.capabilities.contains("definitionProvider"));
    ask.open("b.c");
    CHECK(ask.at("definition", "b.c", 2, 12).empty());
    CHECK(ask.call("workspace/symbol", {{"query", "open_it"}}).empty());
  }

  TEST_CASE("places that are none: outside, on blanks, in a huge line, in unknown documents") {
    const Site site;
    Asker ask(site);
    ask.open("b.c");
    ask.open("huge.c", std::string(3 << 20, 'a') + "\nint x;\n");
    ask.open("noise.c", std::string("\0\x01\x7F (((( open_it", 16));
    CHECK(ask.at("definition", "b.c", 99, 0)["code"] == -32602);
    CHECK(ask.at("definition", "missing.c", 0, 0)["code"] == -32602);
    CHECK(ask.at("definition", "../../../etc/passwd", 0, 0)["code"] == -32602);
    CHECK(ask.at("definition", "b.c", 1, 12).empty());
    CHECK(ask.at("hover", "b.c", 1, 13).is_null());
    CHECK(ask.at("references", "b.c", 4, 1).empty());
    for (const char* method : {"definition", "references", "documentHighlight"}) {
      CHECK(ask.at(method, "huge.c", 0, 1 << 20).empty());
      CHECK(ask.at(method, "noise.c", 0, 0).empty());
    }
    CHECK(ask.at("hover", "huge.c", 0, 1 << 20).is_null());
    CHECK(ask.call("workspace/symbol", {{"query", std::string(1 << 20, 'o')}}).empty());
    CHECK(ask.call("kinglet/search", {{"query", std::string(1 << 20, 'o')}})["code"] == -32602);
    CHECK(ask.call("kinglet/search", {{"query", "("}, {"regex", true}})["code"] == -32602);
    CHECK(ask.call("kinglet/dump", {{"page", 7}})["code"] == -32602);
    ask.call("textDocument/definition", {{"textDocument", {{"uri", "ftp://x"}}}});
    CHECK(ask.places(ask.at("definition", "b.c", 2, 12)) == "a.c:1:4");
  }

  TEST_CASE("documents outside of every folder, and those without a file, know themselves") {
    const Site site;
    Asker ask(site);
    const std::string text = "def helper(x):\n    return x\n\nprint(helper(1))\n";
    for (const std::string uri : {"untitled:Untitled-1", "file:///nowhere/at/all.py"}) {
      INFO(uri);
      ask.open_uri(uri, "python", text);
      const Json at = {{"textDocument", {{"uri", uri}}},
                       {"position", {{"line", 3}, {"character", 8}}},
                       {"context", {{"includeDeclaration", true}}}};
      const Json places = ask.call("textDocument/definition", at);
      REQUIRE(places.size() == 1);
      CHECK(places[0].dump().find(uri) != std::string::npos);
      CHECK(places[0].dump().find("\"line\":0") != std::string::npos);
      CHECK(ask.call("textDocument/references", at).size() == 2);
      CHECK(ask.call("textDocument/documentHighlight", at).size() == 2);
      CHECK(ask.call("textDocument/hover", at).dump().find("def helper(x)") != std::string::npos);
      const Json outline =
          ask.call("textDocument/documentSymbol", {{"textDocument", {{"uri", uri}}}});
      REQUIRE(outline.size() == 1);
      CHECK(outline[0]["name"] == "helper");
      // The repository does not see it.
      CHECK(ask.call("workspace/symbol", {{"query", "helper"}}).empty());
    }
  }

  TEST_CASE("a file that changed behind the index's back is not pointed into") {
    const Site site;
    Asker ask(site);
    ask.open("b.c");
    site.write("a.c", "/* gone */\n\n\n");
    for (const Json& place : ask.at("definition", "b.c", 2, 12)) {
      CHECK(place["uri"] != site.uri("a.c"));
    }
    CHECK(ask.places(ask.at("references", "b.c", 2, 12)) == "a.h:1:4 b.c:2:10");
  }
}

}  // namespace kinglet::daemon
