#include "indexer/use.h"

#include <climits>
#include <string>

#include <doctest/doctest.h>

#include "indexer/locals.h"

namespace kinglet::indexer {
namespace {

// The use at '^': "name access qualifier call".
std::string use(std::string text) {
  const std::size_t at = text.find('^');
  text.erase(at, 1);
  const auto found = use_at(text, static_cast<std::uint32_t>(at));
  if (!found) return "none";
  std::string line = found->name;
  if (found->access == Access::kScope) line += " :: " + found->qualifier;
  if (found->access == Access::kMember) line += " . " + found->qualifier;
  if (found->is_called) line += " call";
  if (found->n_arguments) line += " " + std::to_string(*found->n_arguments);
  return line;
}

// Where the function declares what stands at '^': the text up to the end of that line; "" if it
// does not.
std::string local(std::string text, Family family) {
  const std::size_t at = text.find('^');
  text.erase(at, 1);
  const auto name = use_at(text, static_cast<std::uint32_t>(at))->name;
  const auto found = find_local(text,
                                {0, static_cast<std::uint32_t>(text.size())},
                                static_cast<std::uint32_t>(at),
                                name,
                                family);
  if (!found) return "";
  return text.substr(found->begin, text.find_first_of("\n", found->begin) - found->begin);
}

std::string type(std::string text, Family family) {
  const std::size_t at = text.find('^');
  text.erase(at, 1);
  const auto found = use_at(text, static_cast<std::uint32_t>(at));
  return std::string(type_of(text, found->range.begin, found->qualifier, family));
}

}  // namespace

TEST_SUITE("indexer/use") {
  TEST_CASE("words of comments and strings declare nothing") {
    CHECK(local("void f() {\n  // let render do it\n  ^render();\n}", Family::kJavaScript) == "");
    CHECK(local("void f() {\n  /* see int open = 1 */ g(\"int open = 2\");\n  ^open(1);\n}",
                Family::kC) == "");
    CHECK(local("void f() {\n  log(\"please compute, now\");\n  ^compute(b);\n}", Family::kJvm) ==
          "");
    CHECK(local("def f():\n    \"\"\"for helper in all\"\"\"\n    ^helper()\n", Family::kPython) ==
          "");
    CHECK(local("def f():\n    # for helper\n    ^helper()\n", Family::kPython) == "");
    CHECK(local("f() {\n  echo 'local name'\n  ^name\n}", Family::kShell) == "");
    // What looks like a mark and is none.
    CHECK(local("void f() {\n  int n = 1'000; int big = '\"';\n  g(^big);\n}", Family::kC) ==
          "big = '\"';");
    CHECK(local("fn f() {\n  let q = '\"'; let big = 1;\n  g(^big);\n}", Family::kRust) ==
          "big = 1;");
    CHECK(local("void f() {\n  g(R\"x(\")x\"); int big = 1;\n  g(^big);\n}", Family::kC) ==
          "big = 1;");
    CHECK(local("f() {\n  n=$#; local big=1\n  echo ^big\n}", Family::kShell) == "big=1");
    CHECK(local("const f = () => `<ul>${all.map(entry => `<li>${^entry.name}`)}`;",
                Family::kJavaScript) == "entry => `<li>${entry.name}`)}`;");
    CHECK(local("func f() {\n  if p == `\\` {}\n  part := 1\n  g(^part)\n}", Family::kGo) ==
          "part := 1");
    CHECK(local("f() {\n  cat <<E\ndon't\nE\n  local part=1\n  echo ^part\n}", Family::kShell) ==
          "part=1");
    CHECK(type("// old_log is a Logger *log;\nvoid f(File* log) { log->^put(); }", Family::kC) ==
          "File");
  }

  TEST_CASE("a name, how it is reached, and its call") {
    CHECK(use("x = ^foo;") == "foo");
    CHECK(use("x = fo^o;") == "foo");
    CHECK(use("x = foo^;") == "foo");
    CHECK(use("a::b::^foo(1, g(2, 3), \"x,y\")") == "foo :: b call 3");
    CHECK(use("A<int>::^foo()") == "foo :: A call 0");
    CHECK(use("::^foo") == "foo :: ");
    CHECK(use("p->^foo( )") == "foo . p call 0");
    CHECK(use("p . ^foo") == "foo . p");
    CHECK(use("f().^foo") == "foo . ");
    CHECK(use("0..^foo") == "foo");
    CHECK(use("^foo!(1)") == "foo call 1");
    CHECK(use("^foo(a, *args)") == "foo call");
    CHECK(use("^foo(\"unclosed") == "foo call");
    CHECK(use("1^2") == "none");
    CHECK(use("a + ^ b") == "none");
  }

  TEST_CASE("parameters are counted from the signature") {
    const auto count = [](const char* signature, Family family) {
      const auto found = count_parameters(signature, "f", family);
      if (!found) return std::string("unknown");
      return std::to_string(found->least) + "-" +
             (found->most == INT_MAX ? "any" : std::to_string(found->most));
    };
    CHECK(count("int f(void)", Family::kC) == "0-0");
    CHECK(count("int f()", Family::kC) == "0-0");
    CHECK(count("int f(std::map<int, int> a, int b = 3)", Family::kC) == "1-2");
    CHECK(count("int f(const char* x, ...)", Family::kC) == "1-any");
    CHECK(count("#define f", Family::kC) == "unknown");
    CHECK(count("def f(self, a, *rest)", Family::kPython) == "1-any");
    CHECK(count("fn f(&self, a: u8)", Family::kRust) == "1-1");
    CHECK(count("func (r *T) f(a, b int)", Family::kGo) == "2-2");
  }

  TEST_CASE("what a function declares for itself, in several languages") {
    CHECK(local("int g(int a) { return ^a; }", Family::kC) == "a) { return a; }");
    CHECK(local("int g(struct x *a, int b) {\nreturn ^b; }", Family::kC) == "b) {");
    CHECK(local("void g() {\nFoo<T> a;\n^a.x(); }", Family::kC) == "a;");
    CHECK(local("void g() {\nauto& a = b;\n^a; }", Family::kC) == "a = b;");
    CHECK(local("void g() {\nfor (int i = 0, n = 3; i < ^n; ++i) ;}", Family::kC).substr(0, 5) ==
          "n = 3");
    CHECK(local("void g() {\nx = b * ^a; }", Family::kC) == "");
    CHECK(local("void g() {\nf(b, ^a); }", Family::kC) == "");
    CHECK(local("void g() {\nreturn ^a; }", Family::kC) == "");
    CHECK(local("void g() {\ndelete ^a; }", Family::kC) == "");
    CHECK(local("func g(a int) {\nb := a\nreturn ^b }", Family::kGo) == "b := a");
    CHECK(local("func g(a, c int) int {\nreturn ^a }", Family::kGo) != "");
    CHECK(local("fn g(a: u8) {\nlet mut b = a;\n^b }", Family::kRust) == "b = a;");
    CHECK(local("fn g(a: u8) -> u8 {\n^a }", Family::kRust) == "a: u8) -> u8 {");
    CHECK(local("function g(a) {\nconst { x, b } = a;\nreturn ^b }", Family::kJavaScript) ==
          "b } = a;");
    CHECK(local("function g() {\nreturn l.map((b) => ^b) }", Family::kJavaScript) != "");
    CHECK(local("def g(a):\n  with x as b:\n    return ^b", Family::kPython) == "b:");
    CHECK(local("def g(a):\n  return [b for b in ^a]", Family::kPython) == "a):");
  }

  TEST_CASE("the type of an object by its declaration") {
    CHECK(type("void g(Foo* a) { a->^x; }", Family::kC) == "Foo");
    CHECK(type("std::unique_ptr<Foo> a;\na->^x;", Family::kC) == "Foo");
    CHECK(type("auto a = Foo(1);\na.^x;", Family::kC) == "Foo");
    CHECK(type("ns::Foo a;\na.^x;", Family::kC) == "Foo");
    CHECK(type("const a = new Foo();\na.^x;", Family::kJavaScript) == "Foo");
    CHECK(type("a = Foo(1)\na.^x", Family::kPython) == "Foo");
    CHECK(type("def g(a: Foo):\n  a.^x", Family::kPython) == "Foo");
    CHECK(type("let a = Foo::new();\na.^x", Family::kRust) == "Foo");
    CHECK(type("func g(a *Foo) { a.^x }", Family::kGo) == "Foo");
    CHECK(type("a := &Foo{}\na.^x", Family::kGo) == "Foo");
    CHECK(type("return a.^x", Family::kC) == "");
  }
}

}  // namespace kinglet::indexer
