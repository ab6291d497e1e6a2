// What a use means, case by case. `^` stands before the use that is asked about; an answer is
// "path:line kind" of the likeliest definition, "local:line", or what resolve() found of files.
#include "indexer/resolve.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/language.h"
#include "indexer/parse.h"

namespace kinglet::indexer {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

std::size_t line_of(std::string_view text, std::size_t offset) {
  return 1 + static_cast<std::size_t>(std::count(
                 text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

// A repository whose one '^' is taken out.
class Repository {
 public:
  explicit Repository(Files files) {
    for (auto& [path, text] : files) {
      if (const std::size_t at = text.find('^'); at != std::string::npos) {
        text.erase(at, 1);
        asked_ = path;
        offset_ = static_cast<std::uint32_t>(at);
      }
      index_.put(path, *parse_file(language_of(path, text), text));
      texts_[path] = text;
    }
    all_.snapshot = index_.snapshot();
    all_.graph = std::make_shared<const ImportGraph>(
        *ImportGraph::build(all_.snapshot, [&](const std::string& path) { return read(path); }));
  }

  std::optional<Resolution> resolution() const {
    return *resolve(all_, asked_, texts_.at(asked_), offset_);
  }

  std::string jump() const {
    const auto found = resolution();
    if (!found) return "no name";
    if (!found->files.empty()) return found->files.front().path;
    if (found->local)
      return "local:" + std::to_string(line_of(texts_.at(asked_), found->local->begin));
    if (found->targets.empty()) return "nothing";
    const Symbol& symbol = found->targets.front().symbol;
    return place(symbol.path, symbol.definition.name_range.begin) + " " +
           std::string(name_of(symbol.definition.kind));
  }

  // "path:line" of all uses, by path and place.
  std::string uses() const {
    const auto found = find_references(
        all_, asked_, *resolution(), [&](const std::string& path) { return read(path); });
    std::string line;
    for (const FoundUse& use : found->uses)
      line += (line.empty() ? "" : " ") + place(use.path, use.range.begin);
    return line;
  }

 private:
  std::optional<std::string> read(const std::string& path) const {
    const auto text = texts_.find(path);
    return text == texts_.end() ? std::nullopt : std::optional(text->second);
  }
  std::string place(const std::string& path, std::size_t offset) const {
    return path + ":" + std::to_string(line_of(texts_.at(path), offset));
  }

  Index index_;
  std::map<std::string, std::string> texts_;
  std::string asked_;
  std::uint32_t offset_ = 0;
  LinkedIndex all_;
};

std::string jump(Files files) {
  return Repository(std::move(files)).jump();
}
std::string uses(Files files) {
  return Repository(std::move(files)).uses();
}

}  // namespace

TEST_SUITE("indexer/resolve") {
  TEST_CASE("C: the body behind the header's declaration") {
    CHECK(jump({{"a.h", "int open_db(const char* name);\n"},
                {"a.c", "#include \"a.h\"\nint open_db(const char* name) { return 1; }\n"},
                {"b.c", "#include \"a.h\"\nint main(void) { return ^open_db(\"x\"); }\n"}}) ==
          "a.c:2 function");
  }

  TEST_CASE("C: a static function of this file before one of another") {
    const std::string own = "static int helper(int a) { return a; }\n";
    CHECK(jump({{"a.c", own}, {"b.c", own + "int f(void) { return ^helper(1); }\n"}}) ==
          "b.c:1 function");
    CHECK(uses({{"a.c", own + "int g(void) { return helper(2); }\n"},
                {"b.c", own + "int f(void) { return ^helper(1); }\n"}}) == "b.c:2");
  }

  TEST_CASE("C: the included header before one that is not") {
    CHECK(jump({{"x/conf.h", "struct conf { int port; };\n"},
                {"y/conf.h", "struct conf { int host; };\n"},
                {"main.c", "#include \"y/conf.h\"\nstruct ^conf c;\n"}}) == "y/conf.h:1 struct");
    CHECK(jump({{"x/conf.h", "struct conf { int port; };\n"},
                {"y/conf.h", "struct conf { int host; };\n"},
                {"all.h", "#include \"x/conf.h\"\n"},
                {"main.c", "#include \"all.h\"\nstruct ^conf c;\n"}}) == "x/conf.h:1 struct");
  }

  TEST_CASE("C: a field by the type of its object") {
    const Files files = {{"t.h", "struct client { int fd; };\nstruct server { int fd; };\n"},
                         {"m.c", "#include \"t.h\"\nint f(struct server *s) { return s->^fd; }\n"}};
    CHECK(jump(files) == "t.h:2 field");
  }

  TEST_CASE("C: a local variable and a parameter hide what is global") {
    const std::string head = "int count;\nint other(void) { return count; }\n";
    CHECK(jump({{"a.c", head + "int f(void) {\n  int count = 1;\n  return ^count;\n}\n"}}) ==
          "local:4");
    CHECK(jump({{"a.c", head + "int f(int count) {\n  return ^count;\n}\n"}}) == "local:3");
    CHECK(jump({{"a.c", head + "int f(void) {\n  return ^count;\n}\n"}}) == "a.c:1 variable");
    CHECK(jump({{"a.c", head + "int f(void) {\n  int i, *count = 0;\n  return *^count;\n}\n"}}) ==
          "local:4");
    CHECK(uses({{"a.c",
                 head + "int f(void) {\n  int count = 1;\n  count++;\n  return ^count;\n}\n"}}) ==
          "a.c:5 a.c:6");
    CHECK(uses({{"a.c",
                 "int ^count;\nint other(void) { return count; }\n"
                 "int f(void) {\n  int count = 1;\n  return count;\n}\n"}}) == "a.c:2");
  }

  TEST_CASE("C++: members of the class around, inherited ones, qualified ones") {
    const std::string head =
        "struct Base { void reset(); };\n"
        "struct Other { void reset(); };\n"
        "struct Mine : public Base { void run(); void stop(); };\n";
    CHECK(
        jump({{"a.hpp", head},
              {"a.cc", "#include \"a.hpp\"\nvoid Mine::stop() {}\nvoid Mine::run() { ^stop(); }\n"},
              {"b.hpp", "struct Third { void stop(); };\n"}}) == "a.cc:2 method");
    CHECK(
        jump({{"a.hpp", head}, {"a.cc", "#include \"a.hpp\"\nvoid Mine::run() { ^reset(); }\n"}}) ==
        "a.hpp:1 method");
    CHECK(jump({{"a.hpp", head},
                {"a.cc", "#include \"a.hpp\"\nvoid f() { auto p = &Other::^reset; }\n"}}) ==
          "a.hpp:2 method");
    CHECK(jump({{"a.hpp", head},
                {"a.cc", "#include \"a.hpp\"\nvoid f(Other* o) { o->^reset(); }\n"}}) ==
          "a.hpp:2 method");
  }

  TEST_CASE("C++: an overload by the number of its arguments") {
    const std::string head = "void put(int key);\nvoid put(int key, int value);\n";
    CHECK(jump({{"a.h", head}, {"a.cc", "#include \"a.h\"\nvoid f() { ^put(1); }\n"}}) ==
          "a.h:1 function");
    CHECK(jump({{"a.h", head}, {"a.cc", "#include \"a.h\"\nvoid f() { ^put(1, g(2, 3)); }\n"}}) ==
          "a.h:2 function");
  }

  TEST_CASE("C++: the standard library's names are not ours") {
    const Repository repository({{"a.h", "namespace db { struct string { int n; }; }\n"},
                                 {"b.cc", "#include \"a.h\"\nstd::^string s;\n"}});
    const auto found = repository.resolution();
    REQUIRE(found);
    for (const Target& target : found->targets)
      CHECK(target.confidence < 0.2F);
  }

  TEST_CASE("an include's path leads to its file") {
    CHECK(jump({{"db/a.h", ""}, {"db/a.cc", "#include \"db/^a.h\"\n"}}) == "db/a.h");
    CHECK(jump({{"db/a.h", ""}, {"b.py", "import os\nimport ^db\n"}}) == "nothing");
  }

  TEST_CASE("a definition's own name: itself first, then its counterpart") {
    const Repository repository(
        {{"a.h", "int ^f(int x);\n"}, {"a.c", "#include \"a.h\"\nint f(int x) { return x; }\n"}});
    const auto found = repository.resolution();
    REQUIRE(found);
    CHECK(found->is_definition);
    REQUIRE(found->targets.size() == 2);
    CHECK(found->targets[0].symbol.path == "a.h");
    CHECK(found->targets[0].confidence == 1);
    CHECK(found->targets[0].reasons == std::vector{Reason::kItself});
    CHECK(found->targets[1].symbol.path == "a.c");
    CHECK(found->targets[1].reasons == std::vector{Reason::kCounterpart});
  }

  TEST_CASE("Python: imported names, members through self, modules") {
    const std::string models = "class User:\n    def save(self):\n        pass\n";
    CHECK(jump({{"app/models.py", models},
                {"other/models.py", models},
                {"app/views.py", "from .models import User\n\nu = ^User()\n"}}) ==
          "app/models.py:1 class");
    CHECK(jump({{"app/models.py", models},
                {"app/views.py",
                 "class Order:\n    def save(self):\n        pass\n    def close(self):\n"
                 "        self.^save()\n"}}) == "app/views.py:2 method");
    CHECK(jump({{"app/tools.py", "def load():\n    pass\n"},
                {"app/other.py", "def load():\n    pass\n"},
                {"app/views.py", "from app import tools\n\ntools.^load()\n"}}) ==
          "app/tools.py:1 function");
    CHECK(jump({{"app/models.py", models},
                {"app/views.py",
                 "from .models import User\ndef f():\n    user = User()\n    user.^save()\n"}}) ==
          "app/models.py:2 method");
  }

  TEST_CASE("Python: what a function assigns is its own") {
    CHECK(jump({{"a.py", "total = 0\ndef f(items):\n    total = 1\n    return ^total\n"}}) ==
          "local:3");
    CHECK(jump({{"a.py", "total = 0\ndef f(total=3):\n    return ^total\n"}}) == "local:2");
    CHECK(jump({{"a.py", "total = 0\ndef f():\n    for total in x:\n        print(^total)\n"}}) ==
          "local:3");
    CHECK(jump({{"a.py", "total = 0\ndef f():\n    return g(total=^total)\n"}}) ==
          "a.py:1 variable");
  }

  TEST_CASE("references: declaration and body have the same uses, others' have not") {
    const Files files = {
        {"a.hpp", "struct A { void ^go(); };\nstruct B { void go(); };\n"},
        {"a.cc",
         "#include \"a.hpp\"\nvoid A::go() {}\nvoid f(A* a, B* b) {\n  a->go();\n  b->go();\n}\n"}};
    CHECK(uses(files) == "a.cc:4");
  }

  TEST_CASE("places where no name stands, and places that are none") {
    CHECK(jump({{"a.c", "int f; ^ \n"}}) == "no name");
    CHECK(jump({{"a.c", "^"}}) == "no name");
    CHECK(jump({{"a.c", "int f;\n^"}}) == "no name");
    CHECK(jump({{"a.c", "int f = 12^34;\n"}}) == "no name");
    CHECK(jump({{"a.c", "unknown_thing ^g_x;\nint h(void) { return nowhere; }\n"}}) ==
          "a.c:1 variable");
    CHECK(jump({{"a.c", "int h(void) { return ^nowhere; }\n"}}) == "nothing");
    const LinkedIndex empty;
    CHECK(*resolve(empty, "x", "abc", 99) == std::nullopt);
    CHECK((*resolve(empty, "x", "abc", 1))->targets.empty());
    CHECK(*resolve(empty, "x", std::string(1 << 20, 'a'), 5000) == std::nullopt);
    CHECK((*resolve(empty, "../../etc/passwd", "abc", 1))->targets.empty());
    const std::string noise = std::string("\0\xFF\xFE ab(((((\0", 12) + std::string(100'000, '(');
    CHECK((*resolve(empty, "x", noise, 5))->use.name.size() > 0);
  }

  TEST_CASE("confidences are from 0 to 1, and those of one use add up to one at most") {
    const Repository repository({{"a.py", "def go():\n    pass\n"},
                                 {"b.py", "def go():\n    pass\n"},
                                 {"c.py", "x.^go()\n"}});
    const auto found = repository.resolution();
    REQUIRE(found);
    REQUIRE(found->targets.size() == 2);
    CHECK(found->targets[0].confidence + found->targets[1].confidence <= 1);
    CHECK(found->targets[0].confidence > 0);
    CHECK(found->targets[0].symbol.path == "a.py");  // equal: by path
  }

  // Languages with a grammar of their own here; those that are not built in are left out.
  TEST_CASE("other languages: the imported one before its namesake") {
    struct Case {
      std::string_view language;
      Files files;
      std::string_view expected;
    };
    const Case cases[] = {
        {"go",
         {{"go.mod", "module example.com/app\n"},
          {"db/a.go", "package db\n\nfunc Open(name string) int { return 1 }\n"},
          {"net/b.go", "package net\n\nfunc Open(name string) int { return 2 }\n"},
          {"main.go",
           "package main\n\nimport \"example.com/app/db\"\n\nfunc main() { db.^Open(\"x\") }\n"}},
         "db/a.go:3 function"},
        {"rust",
         {{"src/lib.rs", "mod db;\nmod net;\n"},
          {"src/db.rs", "pub fn open() -> i32 { 1 }\n"},
          {"src/net.rs", "pub fn open() -> i32 { 2 }\n"},
          {"src/run.rs", "use crate::db::open;\nfn f() -> i32 { ^open() }\n"}},
         "src/db.rs:1 function"},
        {"typescript",
         {{"src/a.ts", "export function load(x: number) { return x; }\n"},
          {"src/b.ts", "export function load(x: number) { return x + 1; }\n"},
          {"src/c.ts", "import { load } from './b';\nconst y = ^load(1);\n"}},
         "src/b.ts:1 function"},
        {"javascript",
         {{"a.js", "export class Shop { open() {} }\n"},
          {"b.js",
           "import { Shop } from './a.js';\nfunction f() {\n  const s = new Shop();\n"
           "  s.^open();\n}\n"},
          {"c.js", "export class Door { open() {} }\n"}},
         "a.js:1 method"},
        {"java",
         {{"com/a/Shop.java", "package com.a;\npublic class Shop { public void open() {} }\n"},
          {"com/b/Shop.java", "package com.b;\npublic class Shop { public void open() {} }\n"},
          {"com/c/Main.java",
           "package com.c;\nimport com.b.Shop;\npublic class Main { ^Shop shop; }\n"}},
         "com/b/Shop.java:2 class"},
        {"ruby",
         {{"lib/a.rb", "def load_all\nend\n"},
          {"other/a.rb", "def load_all\nend\n"},
          {"main.rb", "require_relative 'lib/a'\n\n^load_all\n"}},
         "lib/a.rb:1 function"},
        {"lua",
         {{"lib/a.lua", "function load_all() end\n"},
          {"other/b.lua", "function load_all() end\n"},
          {"main.lua", "require('lib.a')\n^load_all()\n"}},
         "lib/a.lua:1 function"},
    };
    for (const Case& one : cases) {
      if (find_language(one.language) == nullptr) continue;
      CAPTURE(std::string(one.language));
      const std::string found = jump(one.files);
      CHECK(found.substr(0, found.find(' ')) == one.expected.substr(0, one.expected.find(' ')));
    }
  }
}

}  // namespace kinglet::indexer
