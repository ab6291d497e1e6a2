#include "indexer/context/hole.h"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "indexer/index.h"
#include "indexer/language.h"
#include "indexer/parse.h"

namespace kinglet::indexer {
namespace {

const std::string kText = R"(#include "door.h"

// A comment that is long enough to be a line.
int add_all_numbers(const int* numbers, int n) {
  int sum_of_numbers = 0;
  for (int i = 0; i < n; ++i) {
    sum_of_numbers += numbers[i];
  }
  open_the_door(sum_of_numbers, n);
  return sum_of_numbers;
}
)";

std::vector<std::string> holes_of(const std::string& text, HoleKind kind) {
  const Language& language = *find_language("c");
  Index index;
  index.put("door.h", *parse_file(language, "void open_the_door(int key, int n);\n"));
  index.put("main.c", *parse_file(language, text));
  std::vector<std::string> found;
  for (const Hole& hole : find_holes(index.snapshot(), "main.c", language, text)) {
    CHECK(hole.path == "main.c");
    if (hole.kind == kind) found.emplace_back(hole.range.of(text));
  }
  return found;
}

}  // namespace

TEST_SUITE("indexer/context/hole") {
  TEST_CASE("lines are code, and of some length") {
    CHECK(holes_of(kText, HoleKind::kLine) ==
          std::vector<std::string>{"int add_all_numbers(const int* numbers, int n) {",
                                   "int sum_of_numbers = 0;",
                                   "for (int i = 0; i < n; ++i) {",
                                   "sum_of_numbers += numbers[i];",
                                   "open_the_door(sum_of_numbers, n);",
                                   "return sum_of_numbers;"});
  }

  TEST_CASE("blocks are whole units of whole lines, calls have arguments") {
    const auto blocks = holes_of(kText, HoleKind::kBlock);
    REQUIRE(blocks.size() == 1);
    CHECK(blocks[0].starts_with("int add_all_numbers"));
    CHECK(holes_of(kText, HoleKind::kCall) ==
          std::vector<std::string>{"open_the_door(sum_of_numbers, n)"});
  }

  TEST_CASE("a first use is a line with a name that another file defines") {
    CHECK(holes_of(kText, HoleKind::kFirstUse) ==
          std::vector<std::string>{"open_the_door(sum_of_numbers, n);"});
  }

  TEST_CASE("text without code has none, whatever it is") {
    for (const std::string& text : {std::string(),
                                    std::string("\n"),
                                    std::string("/* \n\n */"),
                                    std::string(300'000, '('),
                                    std::string("\0\xff\n", 3)}) {
      for (int kind = 0; kind < kHoleKinds; ++kind)
        CHECK(holes_of(text, static_cast<HoleKind>(kind)).empty());
    }
  }

  TEST_CASE("what is visible is so many lines around the hole") {
    std::string text;
    for (int i = 0; i < 1000; ++i)
      text += "line " + std::to_string(i) + "\n";
    const auto begin = static_cast<std::uint32_t>(text.find("line 500\n"));
    const HiddenText hidden = hide(text, {begin, begin + 8});
    CHECK(hidden.text.size() == text.size() - 8);
    const auto shown = hidden.visible.of(hidden.text);
    CHECK(shown.starts_with("line 300\n"));
    CHECK(shown.ends_with("line 560\n"));
    CHECK(std::ranges::count(shown, '\n') == 261);
    const HiddenText whole = hide("one", {0, 3});
    CHECK(whole.text.empty());
    CHECK(whole.visible == ByteRange{0, 0});
  }
}

}  // namespace kinglet::indexer
