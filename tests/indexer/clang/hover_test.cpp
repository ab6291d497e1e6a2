#include "indexer/clang/hover.h"

#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "tests/indexer/clang/unit.h"

namespace kinglet::indexer::clang {
namespace {

std::optional<HoverText> hover_in(const test::Unit& unit,
                                  const std::string& text,
                                  std::size_t into = 0) {
  std::optional<HoverText> answer;
  const std::string& main = unit.files().at("main.cpp");
  const auto offset = static_cast<std::uint32_t>(main.find(text) + into);
  REQUIRE(run_with_deep_stack([&] {
    Session session(*test::libclang());
    const auto parsed = session.parse(unit.request(), Bodies::kAll);
    if (parsed) answer = hover(*parsed, "main.cpp", offset);
  }));
  return answer;
}

}  // namespace

TEST_SUITE("indexer/clang/hover") {
  TEST_CASE("type, signature as written, comment and place") {
    REQUIRE_LIBCLANG();
    const test::Unit unit({{"a.h",
                            "/// Adds two.\n"
                            "int add(int a,\n"
                            "        int b = 2);\n"
                            "#define LIMIT 10\n"},
                           {"main.cpp",
                            "#include \"a.h\"\n"
                            "int main() { auto sum = add(1); return sum + LIMIT; }\n"}});
    auto at_call = hover_in(unit, "add(1)", 2);
    REQUIRE(at_call);
    CHECK(at_call->name == "add");
    CHECK(at_call->signature == "int add(int a, int b = 2)");
    CHECK(at_call->doc == "/// Adds two.");
    CHECK(at_call->declared.path == "a.h");
    CHECK(at_call->declared.line == 1);
    CHECK(at_call->declared.column == 4);
    auto at_variable = hover_in(unit, "sum + LIMIT");
    REQUIRE(at_variable);
    CHECK(at_variable->type == "int");
    CHECK(at_variable->signature == "auto sum = add(1)");
    auto at_macro = hover_in(unit, "LIMIT");
    REQUIRE(at_macro);
    CHECK(at_macro->signature == "#define LIMIT 10");
    CHECK(!hover_in(unit, "return"));
  }
}

}  // namespace kinglet::indexer::clang
