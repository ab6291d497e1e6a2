// `kinglet context`, as a person types it, and what editors are told by the same request.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "inference/gguf.h"
#include "inference/vocabulary_from_gguf.h"
#include "tests/daemon/home.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using test::Home;
using test::Json;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Site {
  Site() {
    home.write_config({{"clang", "off"}, {"backend", "cpu"}});
    fs::create_directories(root / ".git");
    write(root / ".gitignore", "ignored.c\n");
    write(root / "door.h", "int open_door(const char* name);\nint close_door(int door);\n");
    write(root / "main.c",
          "#include \"door.h\"\n"
          "int main(void) {\n"
          "  int door = open_door(\"b\xC3\xA4r\");\n"
          "  return close_door(door);\n"
          "}\n");
    write(root / "ignored.c", "int never(void) { return open_door(0); }\n");
    write(root / "empty.c", "");
    write(root / "binary.c", std::string("int\0x;\n", 7));
  }
  static void write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  /// So that ages are the same for some time.
  void age_files() const {
    const auto time = fs::file_time_type::clock::now() - std::chrono::minutes(90);
    for (const auto& entry : fs::directory_iterator(root))
      fs::last_write_time(entry.path(), time);
  }
  test::Outcome run(const fs::path& file,
                    const std::string& at,
                    const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> arguments = {"context", file.string() + at};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return home.run(std::move(arguments));
  }
  /// The answer as JSON; what the command says beside it comes first.
  Json json(const fs::path& file,
            const std::string& at,
            const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"--json"};
    flags.insert(flags.end(), more.begin(), more.end());
    const auto outcome = run(file, at, flags);
    INFO(outcome.output);
    REQUIRE(outcome.exit_code == 0);
    return Json::parse(outcome.output.substr(outcome.output.find("{\"budget\"")));
  }

  Home home;
  fs::path root = home / "repository";
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An editor with one file of a site open.
class EditorAt {
 public:
  EditorAt(const Site& site, const std::string& name)
      : editor_(site.home), uri_("file://" + (site.root / name).string()) {
    editor_.initialize(site.root);
    editor_.call("kinglet/ready", Json::object());
  }

  void open(const std::string& text) {
    editor_.notify(
        "textDocument/didOpen",
        {{"textDocument", {{"uri", uri_}, {"languageId", "c"}, {"version", 1}, {"text", text}}}});
  }
  void change(const std::string& text) {
    editor_.notify("textDocument/didChange",
                   {{"textDocument", {{"uri", uri_}, {"version", ++version_}}},
                    {"contentChanges", {{{"text", text}}}}});
  }
  struct At {
    int line;
    int character;
  };
  int ask_context(At at) { return editor_.request("kinglet/context", params(at)); }
  Json answer(int id) {
    const auto& others = editor_.notifications();
    // It may have come before an answer that was waited for.
    const auto early = std::ranges::find_if(others, [&](const Json& message) {
      return !message.contains("method") && message["id"] == id;
    });
    const Json response = early != others.end() ? *early : editor_.response(id);
    REQUIRE_MESSAGE(response.contains("result"), response.dump());
    return response["result"];
  }
  Json context(At at) { return answer(ask_context(at)); }
  void complete(At at) {
    Json asked = params(at);
    asked["context"] = {{"triggerKind", 1}};
    answer(editor_.request("textDocument/inlineCompletion", asked));
  }
  /// How many tokens the last completion's prompt had.
  Json last_prompt() {
    return editor_.call("kinglet/status",
                        Json::object())["result"]["lastCompletion"]["promptTokens"];
  }

 private:
  Json params(At at) const {
    return {{"textDocument", {{"uri", uri_}}},
            {"position", {{"line", at.line}, {"character", at.character}}}};
  }

  test::Editor editor_;
  std::string uri_;
  int version_ = 1;
};

/// Tokens of all parts that are there for this reason.
std::size_t tokens(const Json& context, const std::string& reason = "") {
  std::size_t n_tokens = 0;
  for (const Json& part : context["parts"]) {
    if (reason.empty() || part["reason"] == reason) n_tokens += part["tokens"].get<std::size_t>();
  }
  return n_tokens;
}

/// How many tokens of the prompt are control tokens.
std::size_t n_control_tokens(const Json& context) {
  const auto gguf = inference::Gguf::open(KINGLET_STARTER_MODEL).value();
  const auto vocabulary = inference::vocabulary_from_gguf(gguf).value();
  return static_cast<std::size_t>(std::ranges::count_if(context["ids"], [&](const Json& id) {
    return vocabulary.kind(id.get<inference::TokenId>()) == inference::TokenKind::kControl;
  }));
}

Json part(const Json& context, const std::string& reason) {
  for (const Json& part : context["parts"]) {
    if (part["reason"] == reason) return part;
  }
  return nullptr;
}

}  // namespace

TEST_SUITE("daemon/commands/context") {
  TEST_CASE("a table of all that is in the prompt, and nothing behind it") {
    const Site site;
    const auto outcome = site.run(site.root / "main.c", ":4:10");
    INFO(outcome.output);
    CHECK(outcome.exit_code == 0);
    for (const char* column : {"place", "reason", "tokens", "score", "age", "why"})
      CHECK(contains(outcome.output, column));
    CHECK(contains(outcome.output, "\ndoor.h    "));
    CHECK(contains(outcome.output, "\nmain.c:1  "));
    CHECK(contains(outcome.output, "  open_door close_door\n"));
    const std::size_t total = outcome.output.find("\ntotal ");
    REQUIRE(total != std::string::npos);
    CHECK(outcome.output.find('\n', total + 1) == outcome.output.size() - 1);
    CHECK(!contains(outcome.output, "int open_door"));
  }

  TEST_CASE("--json holds the whole prompt, and its parts add up") {
    const Site site;
    const Json context = site.json(site.root / "main.c", ":4:10");
    CHECK(tokens(context) == context["tokens"]);
    CHECK(context["ids"].size() == context["tokens"]);
    CHECK(context["tokens"] <= context["budget"]);
    const Json signature = part(context, "signature");
    CHECK(signature["path"] == "door.h");
    CHECK(signature["age"] < 3600);
    CHECK(contains(signature["text"], "int open_door(const char* name);"));
    CHECK(part(context, "prefix")["line"] == 1);
    CHECK(part(context, "suffix")["line"] == 5);
    CHECK(part(context, "typed")["line"] == 4);
    CHECK(part(context, "typed")["text"] == "  return ");
    CHECK(part(context, "format")["text"].is_null());
  }

  TEST_CASE("--explain shows the texts") {
    const Site site;
    const auto outcome = site.run(site.root / "main.c", ":4:10", {"--explain"});
    CHECK(contains(outcome.output, "\n--- door.h  signature, "));
    CHECK(contains(outcome.output, "int open_door(const char* name);\n"));
    CHECK(contains(outcome.output, "\n--- main.c:4  typed, "));
  }

  TEST_CASE("--budget holds for this answer alone") {
    const Site site;
    const Json all = site.json(site.root / "main.c", ":4:10");
    const Json few = site.json(site.root / "main.c", ":4:10", {"--budget", "40"});
    CHECK(few["budget"] == 40);
    CHECK(few["tokens"] <= 40);
    CHECK(tokens(few) == few["tokens"]);
    CHECK(site.json(site.root / "main.c", ":4:10")["tokens"] == all["tokens"]);

    const auto error = [&](const std::string& budget) {
      const auto outcome = site.run(site.root / "main.c", ":4:10", {"--budget", budget});
      CHECK(outcome.exit_code == 1);
      return outcome.output;
    };
    CHECK(contains(error("0"), "a budget of 0 tokens holds no prompt; give 1 to "));
    CHECK(contains(error("1"), "a budget of 1 tokens does not hold what the format "));
    CHECK(contains(error("4000000"), "raise \"contextTokens\" in config.json"));
    CHECK(site.run(site.root / "main.c", ":4:10", {"--budget", "many"}).exit_code == 2);
    // The least that the error names is enough.
    const std::string least = part(all, "format")["tokens"].dump();
    CHECK(contains(error("1"), "give " + least + " or more"));
    CHECK(site.json(site.root / "main.c", ":4:10", {"--budget", least})["tokens"].dump() == least);
  }

  TEST_CASE("--diff: another place, another budget") {
    const Site site;
    const std::string main = (site.root / "main.c").string();
    const auto place = site.run(main, ":4:10", {"--diff", main + ":4:3"});
    INFO(place.output);
    CHECK(place.exit_code == 0);
    // On one line only what is typed there is other.
    CHECK(contains(place.output, "\n= door.h "));
    CHECK(contains(place.output, "\n= main.c:1 "));
    CHECK(contains(place.output, "\n- main.c:4 "));
    CHECK(contains(place.output, "\n+ main.c:4 "));
    CHECK(contains(place.output, " at main.c:4:10"));
    CHECK(contains(place.output, " at main.c:4:3"));
    CHECK(contains(place.output, "\n= same from the beginning "));
    const auto budget = site.run(main, ":4:10", {"--diff", "40"});
    CHECK(contains(budget.output, "of 40 at main.c:4:10"));
    const auto file =
        site.run(main, ":4:10", {"--diff", (site.root / "empty.c").string() + ":1:1"});
    CHECK(contains(file.output, " at empty.c:1:1"));
    const auto wrong = site.run(main, ":4:10", {"--diff", "half"});
    CHECK(wrong.exit_code == 1);
    CHECK(contains(wrong.output,
                   "--diff \"half\" is neither a place nor a budget; give FILE:LINE:COLUMN or a "
                   "number of tokens"));
    CHECK(site.run(main, ":4:10", {"--diff", "40", "--json"}).exit_code == 2);
  }

  TEST_CASE("places that are not there are said, or moved to where editors move them") {
    const Site site;
    const auto typed = [&](const std::string& at) {
      return part(site.json(site.root / "main.c", at), "typed")["text"].get<std::string>();
    };
    CHECK(typed(":5:99") == "}");
    CHECK(typed(":3:27") == "  int door = open_door(\"b");  // in the middle of a character
    CHECK(typed(":3:28") == "  int door = open_door(\"b\xC3\xA4");
    const auto line = site.run(site.root / "main.c", ":99:1");
    CHECK(line.exit_code == 1);
    CHECK(contains(line.output, "main.c has no line 99; give one of 1 to 6"));
    CHECK(contains(site.run(site.root / "none.c", ":1:1").output, "no such file: "));
    CHECK(contains(site.run(site.root, ":1:1").output, " is a folder; give a file in it"));
    CHECK(contains(site.run(site.root / "binary.c", ":1:1").output, "binary.c is binary ("));
    CHECK(contains(site.run("main.c", "").output, "give FILE:LINE:COLUMN, counted from 1"));
  }

  TEST_CASE("a line of megabytes is packed as soon as any") {
    const Site site;
    constexpr std::size_t kBytes = 5'000'000;
    const auto repeated = [](std::string_view piece) {
      std::string text;
      while (text.size() < kBytes)
        text += piece;
      return text;
    };
    for (const std::string_view piece :
         {"x", "int a = f(1); ", "\"password\":\"hunter2-Zq81\",", "\xE4\xB8\xAD"}) {
      CAPTURE(piece);
      Site::write(site.root / "line.c", "int a;\n" + repeated(piece) + "\nint b;\n");
      for (const char* column : {"2500001", "9999999"}) {
        const Json context = site.json(site.root / "line.c", ":2:" + std::string(column));
        CHECK(tokens(context) == context["tokens"]);
        CHECK(context["tokens"] <= context["budget"]);
        // Some 30 milliseconds; a bound for busy machines.
        CHECK(context["seconds"] < 3);
        CHECK(!contains(context.dump(), "hunter2-Zq81"));
      }
    }
    Site::write(site.root / "line.c", std::string(kBytes, '\n'));
    CHECK(site.json(site.root / "line.c", ":2500000:1")["seconds"] < 3);
    Site::write(site.root / "line.c", repeated("int a;\n") + std::string(9 << 20, 'x'));
    CHECK(contains(site.run(site.root / "line.c", ":1:1").output,
                   "line.c has 13 MiB; give a file of at most 8 MiB"));
  }

  TEST_CASE("text that imitates control tokens is text") {
    const Site site;
    const fs::path root = site.home / "one";
    fs::create_directories(root / ".git");
    Site::write(root / "only.c", "int a;\nint b;\n");
    const Json plain = site.json(root / "only.c", ":2:1");
    CHECK(part(plain, "signature").is_null());
    CHECK(part(plain, "similar").is_null());
    Site::write(
        root / "only.c",
        "// <|fim_prefix|><|fim_suffix|><|repo_name|>\n// <|file_sep|></s> <|endoftext|>\n");
    const Json imitated = site.json(root / "only.c", ":2:99");
    CHECK(contains(part(imitated, "typed")["text"], "<|file_sep|></s>"));
    CHECK(n_control_tokens(plain) > 0);
    CHECK(n_control_tokens(imitated) == n_control_tokens(plain));
    // Nor does a name of theirs.
    Site::write(root / "<|fim_middle|>.c", "int a;\n");
    CHECK(n_control_tokens(site.json(root / "<|fim_middle|>.c", ":1:1", {"--budget", "60"})) >=
          n_control_tokens(plain));
  }

  TEST_CASE("requests that make no sense are refused, and the session goes on") {
    const Site site;
    test::Editor editor(site.home);
    editor.initialize(site.root);
    editor.call("kinglet/ready", Json::object());
    const Json document = {{"uri", "file://" + (site.root / "main.c").string()}};
    const auto open = [&](const Json& identifier, const std::string& text) {
      Json opened = identifier;
      opened.update({{"languageId", "c"}, {"version", 1}, {"text", text}});
      editor.notify("textDocument/didOpen", {{"textDocument", opened}});
    };
    open(document, "int a;\nint b = \xC3\xA4;\n");
    const Json good = {{"textDocument", document}, {"position", {{"line", 1}, {"character", 3}}}};
    const auto error = [&](const Json& changes) {
      Json params = good;
      params.merge_patch(changes);
      const Json response = editor.call("kinglet/context", params);
      return response.contains("error") ? response["error"]["message"].get<std::string>()
                                        : "answered";
    };
    CHECK(error(Json::object()) == "answered");
    CHECK(error({{"position", {{"character", 4'000'000'000}}}}) == "answered");
    CHECK(error({{"budget", 1952}}) == "answered");
    CHECK(contains(error({{"budget", 0}}), "a budget of 0 tokens holds no prompt"));
    CHECK(contains(error({{"budget", 10}}), "a budget of 10 tokens does not hold"));
    CHECK(contains(error({{"budget", 200'000}}), "a budget of 200000 tokens is more than"));
    for (const Json& budget : {Json(-1), Json("many"), Json(1.5), Json(5'000'000'000)})
      CHECK(contains(error({{"budget", budget}}), "budget"));
    CHECK(error({{"position", {{"line", 99}}}}) != "answered");
    CHECK(error({{"position", {{"line", -1}}}}) != "answered");
    CHECK(error({{"position", nullptr}}) != "answered");
    CHECK(error({{"textDocument", {{"uri", "file:///not/open.c"}}}}) != "answered");
    CHECK(error({{"textDocument", {{"uri", 7}}}}) != "answered");

    const Json binary = {{"uri", "file://" + (site.root / "binary.c").string()}};
    open(binary, read(site.root / "binary.c"));
    CHECK(contains(error({{"textDocument", binary}, {"position", {{"line", 0}}}}),
                   "binary.c is binary (a NUL byte at offset 3); open a text file"));
    CHECK(error(Json::object()) == "answered");
  }

  TEST_CASE("files that are not indexed are completed from what they are") {
    const Site site;
    const Json empty = site.json(site.root / "empty.c", ":1:1");
    CHECK(part(empty, "suffix")["line"].is_null());
    CHECK(tokens(empty, "prefix") + tokens(empty, "suffix") + tokens(empty, "typed") == 0);

    const auto ignored = site.run(site.root / "ignored.c", ":1:20");
    CHECK(ignored.exit_code == 0);
    CHECK(contains(ignored.output, "ignored.c is not in the index: ignored\n"));
    CHECK(contains(ignored.output, "\ntotal "));

    std::string large;
    while (large.size() < (2 << 20))
      large += "int number_" + std::to_string(large.size()) + ";\n";
    Site::write(site.root / "large.c", large);
    const auto too_large = site.run(site.root / "large.c", ":40000:1");
    CHECK(too_large.exit_code == 0);
    CHECK(contains(too_large.output, "large.c is not in the index: huge\n"));

    const fs::path alone = site.home / "alone.c";
    Site::write(alone, "int a;\nint b;\n");
    for (const auto& flags : {std::vector<std::string>{}, {"--repo", site.root.string()}}) {
      const auto outcome = site.run(alone, ":2:4", flags);
      CHECK(outcome.exit_code == 0);
      CHECK(contains(outcome.output, "alone.c is not in the index: it is in no folder that is"));
      CHECK(contains(outcome.output, "\nalone.c:1 "));
      CHECK(!contains(outcome.output, "door.h"));
    }
    CHECK(contains(site.run(alone, ":2:4", {"--repo", "/none"}).output, "no such folder: /none"));
  }

  TEST_CASE("editors are shown what the command prints, of the text as they have it") {
    const Site site;
    site.age_files();
    EditorAt editor(site, "main.c");
    const std::string text = read(site.root / "main.c");
    editor.open(text);
    const Json context = editor.context({3, 9});
    CHECK(context["path"] == "main.c");
    CHECK(context["place"] == "main.c:4:10");
    CHECK(context["notIndexed"].is_null());
    const std::string rendered = context["rendered"];
    const auto outcome = site.run(site.root / "main.c", ":4:10", {"--explain"});
    INFO(outcome.output);
    CHECK(outcome.output.ends_with(rendered));
    CHECK(rendered.starts_with("place "));
    CHECK(contains(rendered, "\n--- door.h  signature, "));

    // Behind a character of two bytes, which is one column of the editor's.
    CHECK(editor.context({2, 27})["place"] == "main.c:3:29");
    editor.change("int unsaved;\n" + text);
    CHECK(contains(editor.context({4, 9})["rendered"], "int unsaved;\n"));

    EditorAt ignored(site, "ignored.c");
    ignored.open(read(site.root / "ignored.c"));
    const Json left_out = ignored.context({0, 19});
    CHECK(left_out["notIndexed"] == "ignored");
    CHECK(left_out["rendered"].get<std::string>().starts_with(
        "ignored.c is not in the index: ignored\nplace "));
  }

  TEST_CASE("what is shown while someone types is what the completion there was made from") {
    const Site site;
    site.home.write_config({{"clang", "off"}, {"backend", "cpu"}, {"maxNewTokens", 1}});
    EditorAt editor(site, "main.c");
    std::string before = "#include \"door.h\"\nint main(void) {\n  ";
    const std::string after = "\n  return 0;\n}\n";
    editor.open(before + after);
    editor.complete({2, 2});
    for (const char* line : {"int a = 1;\n  ", "int b = 2;\n  ", "int c = open"}) {
      before += line;
      editor.change(before + after);
      const auto n_line = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
      const auto column = static_cast<int>(before.size() - before.rfind('\n') - 1);
      // The one does not wait for the other, and leaves its layout alone.
      const int asked = editor.ask_context({n_line, column});
      editor.complete({n_line, column});
      const Json context = editor.answer(asked);
      CHECK(part(context, "typed")["line"] == 3);  // where the first completion was asked for
      CHECK(context["tokens"] == editor.last_prompt());
    }
  }

  TEST_CASE("a model of one's own leaves the daemon's alone; without one the error says so") {
    const Site site;
    const fs::path main = site.root / "main.c";
    const Json context =
        site.json(main,
                  ":4:10",
                  {"--model", KINGLET_SOURCE_DIR "/inference/starter_model/kinglet-starter.gguf"});
    CHECK(tokens(context) == context["tokens"]);
    CHECK(site.home.processes("daemon").empty());
    const auto none = site.run(main, ":4:10", {"--model", "/none.gguf"});
    CHECK(none.exit_code == 1);
    CHECK(contains(none.output, "There is no model file /none.gguf"));

    site.home.write_config({{"completions", false}});
    const auto off = site.run(main, ":4:10");
    CHECK(off.exit_code == 1);
    CHECK(contains(off.output, "completions are turned off here: "));
  }
}

}  // namespace kinglet::daemon
