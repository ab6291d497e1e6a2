// What libclang's cursors become. at() says who is meant at a place, home() where that is defined.
#include "indexer/clang/unit_record.h"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "tests/indexer/clang/unit.h"

namespace kinglet::indexer::clang {

using test::Unit;

TEST_SUITE("indexer/clang/unit_record") {
  TEST_CASE("declarations, definitions, references and calls are told apart") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"a.h", "int twice(int x);\nextern int total;\n"},
                     {"main.cpp",
                      "#include \"a.h\"\n"
                      "int total = 0;\n"
                      "int twice(int x) { return x + x; }\n"
                      "int main() { auto* p = &twice; total = twice(total); return (p)(1); }\n"}});
    CHECK(unit.at("a.h", "twice") == "declare twice");
    CHECK(unit.at("main.cpp", "twice") == "define twice");
    CHECK(unit.at("main.cpp", "twice", 1) == "refer twice");
    CHECK(unit.at("main.cpp", "twice", 2) == "call twice");
    CHECK(unit.home("main.cpp", "twice", 2) == "a.h:1? main.cpp:3");
    CHECK(unit.home("main.cpp", "total", 2) == "a.h:2? main.cpp:2");
    CHECK(unit.home("main.cpp", "x + x") == "main.cpp:3");
    CHECK(unit.record().n_errors == 0);
    REQUIRE(unit.record().includes.size() == 1);
    CHECK(unit.record().includes[0].to == "a.h");
  }

  TEST_CASE("each overload is itself") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "int f(int);\n"
                      "int f(double);\n"
                      "int f(const char*);\n"
                      "int a = f(1);\n"
                      "int b = f(1.0);\n"
                      "int c = f(\"\");\n"}});
    CHECK(unit.home("main.cpp", "f(1)") == "main.cpp:1?");
    CHECK(unit.home("main.cpp", "f(1.0)") == "main.cpp:2?");
    CHECK(unit.home("main.cpp", "f(\"\")") == "main.cpp:3?");
  }

  TEST_CASE("instances of a template are the template as written, fields and members, too") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "template <class T>\n"
                      "struct Box {\n"
                      "  Box(T v) : value(v) {}\n"
                      "  T get() const { return value; }\n"
                      "  T value;\n"
                      "  struct Inner { T deep; };\n"
                      "  enum Kind { kOne };\n"
                      "};\n"
                      "template <class T> T pass(T t) { return t; }\n"
                      "int a = Box<int>(1).get();\n"
                      "double b = Box<double>(1).value;\n"
                      "int c = pass<int>(2);\n"
                      "int d = Box<int>::Inner().deep;\n"
                      "int e = Box<char>::kOne;\n"}});
    CHECK(unit.home("main.cpp", "get()", 1) == "main.cpp:4");
    CHECK(unit.home("main.cpp", "value;", 2) == "main.cpp:5");
    CHECK(unit.home("main.cpp", "pass<int>") == "main.cpp:9");
    CHECK(unit.home("main.cpp", "deep;", 1) == "main.cpp:6");
    CHECK(unit.home("main.cpp", "kOne;") == "main.cpp:7");
    // The class and its constructor.
    CHECK(unit.home("main.cpp", "Box<double>") == "main.cpp:2 main.cpp:3");
    CHECK(unit.at("main.cpp", "get()", 1) == "call get");
  }

  TEST_CASE("macros: their expansions, and arguments where they stand") {
    REQUIRE_LIBCLANG();
    const Unit unit(
        {{"a.h", "#define TWICE(x) ((x) + (x))\n#define MAKE(name) int name##_made()\n"},
         {"main.cpp",
          "#include \"a.h\"\n"
          "int value;\n"
          "MAKE(thing);\n"
          "int a = TWICE(value);\n"
          "int b = thing_made();\n"}});
    CHECK(unit.at("a.h", "TWICE") == "define TWICE");
    CHECK(unit.at("main.cpp", "TWICE") == "expand TWICE");
    CHECK(unit.home("main.cpp", "TWICE") == "a.h:1");
    CHECK(unit.at("main.cpp", "value", 1) == "refer value");
    CHECK(unit.home("main.cpp", "value", 1) == "main.cpp:2");
    // The name was pasted together: declared at the macro's call, but that text is not the name.
    CHECK(unit.at("main.cpp", "MAKE") == "[declare thing_made], expand MAKE");
    CHECK(unit.home("main.cpp", "thing_made") == "main.cpp:3?");
  }

  TEST_CASE("an override knows what it overrides") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "struct Base { virtual void go(); virtual ~Base(); };\n"
                      "struct Derived : Base { void go() override; };\n"
                      "void run(Base& b, Derived& d) { b.go(); d.go(); }\n"}});
    CHECK(unit.home("main.cpp", "go()", 2) == "main.cpp:1?");
    CHECK(unit.home("main.cpp", "go()", 3) == "main.cpp:2?");
    const auto& symbols = unit.record().files[0].symbols;
    const auto overriding = std::ranges::count_if(symbols, [&](const SemanticSymbol& symbol) {
      return symbol.name == "go" && symbol.overrides.size() == 1 &&
             std::ranges::any_of(symbols, [&](const SemanticSymbol& other) {
               return other.name == "go" && other.key == symbol.overrides[0];
             });
    });
    CHECK(overriding == 1);
  }

  TEST_CASE("using, namespace aliases and types lead to what they name") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "namespace one { struct Thing {}; int f(int); int f(double); }\n"
                      "namespace two = one;\n"
                      "using one::f;\n"
                      "using Alias = two::Thing;\n"
                      "Alias alias;\n"
                      "int a = f(1);\n"}});
    CHECK(unit.home("main.cpp", "one::f") == "main.cpp:1");
    CHECK(unit.home("main.cpp", "f;") == "main.cpp:1?");
    CHECK(unit.at("main.cpp", "f;") == "refer f");
    CHECK(unit.home("main.cpp", "Thing;") == "main.cpp:1");
    CHECK(unit.home("main.cpp", "two::") == "main.cpp:2");
    CHECK(unit.home("main.cpp", "Alias alias") == "main.cpp:4");
    CHECK(unit.home("main.cpp", "f(1)") == "main.cpp:1?");
  }

  TEST_CASE("constructors: written ones are themselves, implicit ones are their class") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "struct Written { explicit Written(int); };\n"
                      "struct Plain { int x; };\n"
                      "Written a(1);\n"
                      "Plain b;\n"
                      "Plain c = Plain();\n"}});
    CHECK(unit.at("main.cpp", "Written(int)") == "declare Written");
    CHECK(unit.at("main.cpp", "a(1)") == "[call Written], define a");
    CHECK(unit.at("main.cpp", "b;") == "define b");
    CHECK(unit.home("main.cpp", "Plain();") == "main.cpp:2");
  }

  TEST_CASE("operators and conversions have the whole of their names") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "struct V { V operator+(const V&) const; operator int() const; };\n"
                      "V add(V a, V b) { return a + b; }\n"}});
    const auto& file = unit.record().files[0];
    const auto plus = std::ranges::find_if(file.occurrences, [&](const Occurrence& occurrence) {
      return file.symbols[occurrence.symbol_idx].name == "operator+";
    });
    REQUIRE(plus != file.occurrences.end());
    CHECK(plus->length == 9);
    CHECK(unit.at("main.cpp", "+ b") == "[call operator+]");
  }

  TEST_CASE("C: tags, typedefs, designated initializers, static functions") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.c",
                      "typedef struct point { int x, y; } point_t;\n"
                      "static int norm(const struct point *p) { return p->x + p->y; }\n"
                      "point_t origin = {.x = 1, .y = 2};\n"
                      "int main(void) { return norm(&origin); }\n"}},
                    {"-std=c11"});
    CHECK(unit.home("main.c", "x = 1") == "main.c:1");
    CHECK(unit.home("main.c", "point *p") == "main.c:1");
    CHECK(unit.home("main.c", "norm(&") == "main.c:2");
    CHECK(unit.home("main.c", "point_t origin") == "main.c:1");
    CHECK(unit.at("main.c", "norm(&") == "call norm");
  }

  TEST_CASE("C: a variable without a value is defined, an extern one declared") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.c", "int here;\nstatic int own;\nextern int there;\n"}});
    CHECK(unit.at("main.c", "here") == "define here");
    CHECK(unit.at("main.c", "own") == "define own");
    CHECK(unit.at("main.c", "there") == "declare there");
  }

  TEST_CASE("system headers are not in the record, but what is used of them has its place") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.c", "#include <stddef.h>\nsize_t n;\n"}}, {"-std=c11"});
    REQUIRE(unit.record().files.size() == 1);
    const auto& symbols = unit.record().files[0].symbols;
    const auto found = std::ranges::find(symbols, "size_t", &SemanticSymbol::name);
    REQUIRE(found != symbols.end());
    REQUIRE(found->outside);
    CHECK(found->outside->path.ends_with(".h"));
  }

  TEST_CASE("broken code is recorded as far as it goes") {
    REQUIRE_LIBCLANG();
    const Unit unit({{"main.cpp",
                      "#include \"missing.h\"\n"
                      "int good();\n"
                      "int bad( { nonsense ]] }\n"
                      "int use() { return good(); }\n"}});
    CHECK(unit.record().n_errors > 0);
    CHECK(unit.at("main.cpp", "good();") == "declare good");
  }

  TEST_CASE("the same sources give the same record") {
    REQUIRE_LIBCLANG();
    const std::string main = "#include \"a.h\"\nA a; int b = a.x;\n";
    const Unit one({{"a.h", "struct A { int x; };\n"}, {"main.cpp", main}});
    const Unit two({{"a.h", "struct A { int x; };\n"}, {"main.cpp", main}});
    for (const auto& file : one.record().files) {
      const auto same = std::ranges::find(two.record().files, file.path, &FileSemantics::path);
      REQUIRE(same != two.record().files.end());
      CHECK(*same == file);
    }
  }
}

}  // namespace kinglet::indexer::clang
