#include "indexer/imports.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/import_graph.h"
#include "indexer/index.h"
#include "indexer/language.h"
#include "indexer/parse.h"

namespace kinglet::indexer {
namespace {

// The files that a target means, the likeliest first, as one line; " | " parts what is less likely
// than half of the first.
std::string meant(std::vector<std::string> paths,
                  std::string_view language,
                  std::string_view from,
                  std::string_view target,
                  std::vector<GoModule> modules = {}) {
  std::ranges::sort(paths);
  const PathTable table(std::move(paths));
  const auto found =
      resolve_import({.paths = table, .go_modules = modules}, language, from, target);
  std::string line;
  for (const ImportedFile& file : found) {
    CHECK(file.confidence > 0);
    CHECK(file.confidence <= 1);
    const bool is_unlikely = file.confidence < found.front().confidence / 2;
    line += line.empty() ? "" : is_unlikely ? " | " : " ";
    line += table[file.file];
  }
  return line;
}

}  // namespace

TEST_SUITE("indexer/imports") {
  TEST_CASE("C: beside the file, then in folders above, then by the end of a path") {
    const std::vector<std::string> files = {"include/db/env.h",
                                            "db/env.h",
                                            "db/impl.cc",
                                            "port/port.h",
                                            "port/posix.h",
                                            "third/x/y/deep.h"};
    CHECK(meant(files, "cpp", "db/impl.cc", "env.h") == "db/env.h");
    CHECK(meant(files, "cpp", "db/impl.cc", "db/env.h") == "db/env.h");
    CHECK(meant(files, "cpp", "util/a.cc", "db/env.h") == "db/env.h");
    CHECK(meant(files, "cpp", "util/a.cc", "port/port.h") == "port/port.h");
    CHECK(meant(files, "c", "db/impl.cc", "../port/./posix.h") == "port/posix.h");
    CHECK(meant(files, "c", "db/impl.cc", "y/deep.h") == "third/x/y/deep.h");
    CHECK(meant(files, "c", "db/impl.cc", "vector") == "");
    CHECK(meant({"include/a/b.h", "x.c"}, "c", "x.c", "a/b.h") == "include/a/b.h");
  }

  TEST_CASE("nothing is found above the root, nor for words that are none") {
    const std::vector<std::string> files = {"a.h", "b/c.c", "etc/passwd"};
    CHECK(meant(files, "c", "b/c.c", "../../a.h") == "");
    CHECK(meant(files, "c", "b/c.c", "../../../../etc/passwd") == "");
    CHECK(meant(files, "c", "b/c.c", "") == "");
    CHECK(meant(files, "c", "b/c.c", "..") == "");
    CHECK(meant(files, "c", "b/c.c", std::string(1 << 20, '/')) == "");
    for (const Language& language : all_languages()) {
      CHECK(meant(files, language.name, "b/c.c", std::string(1 << 20, '.')) == "");
      CHECK(meant(files, language.name, "b/c.c", "::\\//..{,};'\"") == "");
      CHECK(meant({}, language.name, "b/c.c", "a.b.c") == "");
    }
  }

  TEST_CASE("equal ends: the nearer file is likelier") {
    const std::vector<std::string> files = {"a/x/util.h", "b/x/util.h", "b/y/z/main.c"};
    CHECK(meant(files, "c", "b/y/z/main.c", "x/util.h") == "b/x/util.h");
    CHECK(meant({"p/a/q/util.h", "r/b/q/util.h", "s/main.c"}, "c", "s/main.c", "q/util.h") ==
          "p/a/q/util.h r/b/q/util.h");
  }

  TEST_CASE("Python: modules, packages, dots, and the modules of an imported package") {
    const std::vector<std::string> files = {"app/__init__.py",
                                            "app/db/__init__.py",
                                            "app/db/models.py",
                                            "app/db/query.py",
                                            "app/views.py",
                                            "manage.py"};
    CHECK(meant(files, "python", "manage.py", "app.views") == "app/views.py");
    CHECK(meant(files, "python", "app/views.py", "app.db.models") == "app/db/models.py");
    CHECK(meant(files, "python", "app/views.py", ".db.models") == "app/db/models.py");
    CHECK(meant(files, "python", "app/db/query.py", ".models") == "app/db/models.py");
    CHECK(meant(files, "python", "app/db/query.py", "..views") == "app/views.py");
    CHECK(meant(files, "python", "app/db/query.py", ".").substr(0, 18) == "app/db/__init__.py");
    CHECK(meant(files, "python", "app/views.py", "app.db").substr(0, 18) == "app/db/__init__.py");
    CHECK(meant(files, "python", "app/views.py", "json") == "");
    CHECK(meant(files, "python", "manage.py", "....") == "");
    CHECK(meant({"src/pkg/mod.py", "tests/t.py"}, "python", "tests/t.py", "pkg.mod") ==
          "src/pkg/mod.py");
  }

  TEST_CASE("JavaScript: extensions, index files, TypeScript's sources, aliases") {
    const std::vector<std::string> files = {"src/a.ts",
                                            "src/b/index.tsx",
                                            "src/c.js",
                                            "src/b/d.vue",
                                            "src/style.css",
                                            "packages/ui/package.json",
                                            "packages/ui/src/index.ts"};
    CHECK(meant(files, "typescript", "src/c.js", "./a") == "src/a.ts");
    CHECK(meant(files, "typescript", "src/c.js", "./a.js") == "src/a.ts");
    CHECK(meant(files, "javascript", "src/a.ts", "./c") == "src/c.js");
    CHECK(meant(files, "javascript", "src/a.ts", "./b") == "src/b/index.tsx");
    CHECK(meant(files, "tsx", "src/b/index.tsx", "../a") == "src/a.ts");
    CHECK(meant(files, "typescript", "src/b/index.tsx", "@/a") == "src/a.ts");
    CHECK(meant(files, "typescript", "src/a.ts", "./style.css?inline") == "src/style.css");
    CHECK(meant(files, "typescript", "src/a.ts", "@org/ui") == "packages/ui/src/index.ts");
    CHECK(meant(files, "javascript", "src/a.ts", "react") == "");
  }

  TEST_CASE("Go: the folder of a package, by the module's name") {
    const std::vector<std::string> files = {
        "go.mod", "cmd/main.go", "internal/db/a.go", "internal/db/b.go", "http/h.go"};
    const std::vector<GoModule> modules = {{"", "example.com/me/app"}};
    CHECK(meant(files, "go", "cmd/main.go", "example.com/me/app/internal/db", modules) ==
          "internal/db/a.go internal/db/b.go");
    CHECK(meant(files, "go", "cmd/main.go", "net/http", modules) == "");
    CHECK(meant(files, "go", "cmd/main.go", "example.com/me/application/http", modules) == "");
    // Without go.mod the end of the path has to do.
    CHECK(meant(files, "go", "cmd/main.go", "example.com/me/app/internal/db") ==
          "internal/db/a.go internal/db/b.go");
  }

  TEST_CASE("Rust: crate, self, super, modules and lists of them") {
    const std::vector<std::string> files = {"src/lib.rs",
                                            "src/db.rs",
                                            "src/db/table.rs",
                                            "src/net/mod.rs",
                                            "src/net/tcp.rs",
                                            "core/src/lib.rs",
                                            "core/src/id.rs"};
    CHECK(meant(files, "rust", "src/lib.rs", "db") == "src/db.rs");
    CHECK(meant(files, "rust", "src/db.rs", "table") == "src/db/table.rs");
    CHECK(meant(files, "rust", "src/net/tcp.rs", "crate::db::table::Table") == "src/db/table.rs");
    CHECK(meant(files, "rust", "src/net/tcp.rs", "crate::db") == "src/db.rs");
    CHECK(meant(files, "rust", "src/net/tcp.rs", "super::open") == "src/net/mod.rs");
    CHECK(meant(files, "rust", "src/net/mod.rs", "self::tcp::Stream") == "src/net/tcp.rs");
    CHECK(meant(files, "rust", "src/lib.rs", "core::id::Id") == "core/src/id.rs");
    CHECK(meant(files, "rust", "src/lib.rs", "std::io") == "");
    CHECK(meant(files, "rust", "src/lib.rs", "crate::{db, net::tcp}") ==
          "src/db.rs src/net/tcp.rs src/lib.rs");
  }

  TEST_CASE("Java and Kotlin: classes, members, whole packages") {
    const std::vector<std::string> files = {"src/main/java/com/a/Shop.java",
                                            "src/main/java/com/a/Cart.java",
                                            "src/main/kotlin/com/b/Util.kt"};
    const std::string from = files[0];
    CHECK(meant(files, "java", from, "com.a.Cart") == files[1]);
    CHECK(meant(files, "java", from, "com.a.Cart.Item") == files[1]);
    CHECK(meant(files, "kotlin", from, "com.a.*") == files[1] + " " + files[0]);
    CHECK(meant(files, "kotlin", from, "com.b.helper") == files[2]);
    CHECK(meant(files, "java", from, "java.util.List") == "");
  }

  TEST_CASE("Ruby, Lua, PHP, C#, shell, CMake") {
    CHECK(meant({"lib/shop/cart.rb", "bin/run.rb"}, "ruby", "bin/run.rb", "shop/cart") ==
          "lib/shop/cart.rb");
    CHECK(meant({"lib/shop/cart.rb", "lib/shop/item.rb"}, "ruby", "lib/shop/item.rb", "./cart") ==
          "lib/shop/cart.rb");
    CHECK(meant({"lua/my/mod.lua", "lua/my/init.lua", "a.lua"}, "lua", "a.lua", "my.mod") ==
          "lua/my/mod.lua");
    CHECK(meant({"lua/my/mod.lua", "lua/my/init.lua", "a.lua"}, "lua", "a.lua", "my") ==
          "lua/my/init.lua");
    CHECK(meant({"app/Models/User.php", "app/x.php"}, "php", "app/x.php", "App\\Models\\User") ==
          "app/Models/User.php");
    CHECK(meant({"app/y.php", "app/x.php"}, "php", "app/x.php", "y.php") == "app/y.php");
    CHECK(meant({"Core/Store.cs", "App.cs"}, "csharp", "App.cs", "My.Core") == "Core/Store.cs");
    CHECK(meant({"lib/common.sh", "lib/run.sh"}, "bash", "lib/run.sh", "./common.sh") ==
          "lib/common.sh");
    CHECK(meant({"src/CMakeLists.txt", "CMakeLists.txt"}, "cmake", "CMakeLists.txt", "src") ==
          "src/CMakeLists.txt");
  }

  TEST_CASE("a graph has every edge once, both ways, and what is reached through it") {
    Index index;
    const auto put = [&](const std::string& path, const std::string& text) {
      index.put(path, *parse_file(language_of(path, text), text));
    };
    put("a.h", "#pragma once\n");
    put("b.h", "#include \"a.h\"\n#include \"a.h\"\n");
    put("c.c", "#include \"b.h\"\n#include <stdio.h>\n#include \"c.c\"\n");
    const auto graph = ImportGraph::build(index.snapshot(), nullptr);
    REQUIRE(graph);
    CHECK(graph->n_edges() == 2);
    const auto id = [&](const char* path) { return *graph->paths().find(path); };
    REQUIRE(graph->imports(id("c.c")).size() == 1);
    CHECK(graph->imports(id("c.c"))[0].file == id("b.h"));
    REQUIRE(graph->importers(id("a.h")).size() == 1);
    CHECK(graph->importers(id("a.h"))[0].file == id("b.h"));
    CHECK(graph->importers(id("c.c")).empty());
    const auto reached = reach(*graph, id("c.c"), 8, 100);
    REQUIRE(reached.size() == 3);
    CHECK(reached[0].first == id("a.h"));
    CHECK(reached[0].second.n_steps == 2);
    CHECK(reach(*graph, id("c.c"), 1, 100).size() == 2);
  }
}

}  // namespace kinglet::indexer
