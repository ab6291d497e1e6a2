#include "indexer/lexical.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace kinglet::indexer {
namespace {

// The text with its macros blanked, white space collapsed; "" when there was nothing to blank.
std::string blanked(std::string_view text) {
  const auto result = blank_macros(text);
  if (!result) return "";
  CHECK(result->size() == text.size());
  std::string out;
  for (const char c : *result) {
    const bool is_space = c == ' ' || c == '\n';
    if (!is_space || (!out.empty() && out.back() != ' ')) out += is_space ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ')
    out.pop_back();
  return out;
}

std::vector<std::string> found(const char* language, std::string_view text) {
  std::vector<Candidate> candidates;
  const ByteRange all{0, static_cast<std::uint32_t>(text.size())};
  find_lexical_definitions(*find_language(language), text, all, candidates);
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) {
    CHECK(candidate.definition.range.end <= text.size());
    names.push_back(std::string(name_of(candidate.definition.kind)) + " " +
                    (candidate.is_qualified ? candidate.definition.container + "::" : "") +
                    candidate.definition.name);
  }
  return names;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_SUITE("indexer/lexical") {
  TEST_CASE("macros that decorate are blanked") {
    CHECK(blanked("class API Door {") == "class Door {");
    CHECK(blanked("struct ALIGNED(16) Row final {") == "struct Row final {");
    CHECK(blanked("enum class FOO_API Color : int {") == "enum class Color : int {");
    CHECK(blanked("template <class T> class MY_EXPORT Box {") == "template <class T> class Box {");
    CHECK(blanked("int x;\nFOO_NAMESPACE_BEGIN\nint y;") == "int x; int y;");
    CHECK(blanked("class A {\n  Q_OBJECT\n public:") == "class A { public:");
    CHECK(blanked("MY_NODISCARD int open();") == "int open();");
    CHECK(blanked("MY_API int (*open)(int) MY_ATTR;") == "int (*open)(int) ;");
    CHECK(blanked("MY_API Door * (* open)(int);") == "Door * (* open)(int);");
    CHECK(blanked("MY_API int (open)(int);") == "int (open)(int);");
    CHECK(blanked("/*\n Ends with a word\n*/\nFOO_NAMESPACE_BEGIN\nint x;") ==
          "/* Ends with a word */ int x;");
    CHECK(blanked("/* a */ class MY_API Door {") == "/* a */ class Door {");
    CHECK(blanked("/* a\n b */ MY_API int (*open)(int) MY_ATTR;") ==
          "/* a b */ int (*open)(int) ;");
    CHECK(blanked("MY_API const char* name();") == "const char* name();");
    CHECK(blanked("class MY_API Door;") == "class Door;");
    CHECK(blanked("template <> struct MY_API Door<int> {") == "template <> struct Door<int> {");
    CHECK(blanked("FOO_BEGIN_X\nFOO_USE(a);") == "FOO_USE(a);");
    CHECK(blanked("int open() const MY_NOEXCEPT;") == "int open() const ;");
    CHECK(blanked("void f() LOCKS_EXCLUDED(mutex_);") == "void f() ;");
  }

  TEST_CASE("megabytes of brackets on one line take no longer than their length") {
    // Each macro looked back over the whole line would take hours.
    std::string text;
    while (text.size() < 3'000'000)
      text += ") A_B; ";
    CHECK(blanked(text).find("A_B") == std::string::npos);
  }

  TEST_CASE("macros that mean something stay") {
    for (const char* code : {"enum E {\n  FIRST_ONE\n};",
                             "enum E { A_B,\n  C_D,\n  E_F\n};",
                             "int x = MAX_SIZE;",
                             "call(\n  SOME_VALUE\n);",
                             "#define FOO_BAR 1",
                             "class API;",
                             "/* a */ enum E {\n  FIRST_ONE\n};",
                             "enum E {\n  A_B, // note:\n  C_D\n};",
                             "enum E { /* x; */\n  FIRST_ONE\n};",
                             "int x;\n/* a */ void f(int a,\n  SOME_TYPE\n  b);",
                             "call(\"a;\",\n  SOME_VALUE\n);",
                             "struct RECT make_rect(int x) {",
                             "struct STAT_BUF the_stat;",
                             "enum COLOR color;",
                             "extern char *const FOO_NAME;",
                             "unsigned const MAX_SIZE{100};",
                             "static const long a_cast = (long) FOO_BAR;",
                             "if (x) LOG_ERROR(y);",
                             "return (size_t) MAX_LEN;",
                             "EFI_STATUS\nInitFoo (\n  int x\n  )\n{",
                             "EFI_HANDLE\n  gHandle = 0;",
                             "UINT_PTR const a_ptr = 5;",
                             "GL_UINT volatile vol;",
                             "struct NODE *next;",
                             "TEST_CASE(\"x\") {",
                             "return MAX_VALUE;",
                             "CHECK_EQ(a, b);",
                             "x = A_B ? C_D : E_F;"}) {
      CHECK(blanked(code) == "");
    }
  }

  TEST_CASE("definitions by their first words") {
    CHECK(found("cpp", "class A final : public B {\n};\n") == Strings{"class A"});
    CHECK(found("cpp", "namespace a {\nstruct B {") == Strings{"namespace a", "struct B"});
    CHECK(found("c", "static int count(const char* s) {\n  return s[0];\n}\n") ==
          Strings{"function count"});
    CHECK(found("cpp", "void Table::insert(int key)\n{\n  put(key);\n}\n") ==
          Strings{"function Table::insert"});
    CHECK(found("c", "#define LIMIT 3\n#  define MIN(a, b) a\n") ==
          Strings{"macro LIMIT", "macro MIN"});
    CHECK(found("cpp", "  if (a) {\n  while (b) {\n  return call(x);\n  foo(1);\n  a b(c);\n")
              .empty());
    CHECK(found("python", "class A(B):\n  async def run(self):\n") ==
          Strings{"class A", "function run"});
    CHECK(found("text", "class A {").empty());
  }

  TEST_CASE("a body ends with its brace or its indentation") {
    const std::string_view text = "int f(int a) {\n  g(\"}\"); // }\n}\nint h(int b) {\n}\n";
    std::vector<Candidate> candidates;
    find_lexical_definitions(
        *find_language("c"), text, {0, static_cast<std::uint32_t>(text.size())}, candidates);
    REQUIRE(candidates.size() == 2);
    CHECK(candidates[0].definition.range.of(text) == "int f(int a) {\n  g(\"}\"); // }\n}");
    CHECK(candidates[1].definition.range.of(text) == "int h(int b) {\n}");
    const std::string_view python = "  def f():\n    a\n\n    b\n  c\n";
    candidates.clear();
    find_lexical_definitions(*find_language("python"),
                             python,
                             {0, static_cast<std::uint32_t>(python.size())},
                             candidates);
    REQUIRE(candidates.size() == 1);
    CHECK(candidates[0].definition.range.of(python) == "def f():\n    a\n\n    b");
  }
}

}  // namespace kinglet::indexer
