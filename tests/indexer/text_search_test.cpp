#include "indexer/text_search.h"

#include <string>

#include <doctest/doctest.h>

#include "indexer/find_files.h"

namespace kinglet::indexer {
namespace {

// What matches, parted by '|'; the error's text if there is one.
std::string matches(const TextQuery& query, std::string_view text) {
  const auto pattern = TextPattern::compile(query);
  if (!pattern) return pattern.error().message;
  std::string found;
  const auto done = pattern->find(text, [&](ByteRange range) {
    found += (found.empty() ? "" : "|") + std::string(range.of(text));
    return true;
  });
  return done ? found : done.error().message;
}

}  // namespace

TEST_SUITE("indexer/text_search") {
  TEST_CASE("exact text is taken as it is") {
    CHECK(matches({.text = "a.b"}, "a.b axb a.b") == "a.b|a.b");
    CHECK(matches({.text = "aa"}, "aaaa") == "aa|aa");
    CHECK(matches({.text = "x"}, "") == "");
    CHECK(matches({.text = "A.B", .ignores_case = true}, "a.b axb A.b") == "a.b|A.b");
  }

  TEST_CASE("regular expressions: lines, case, bytes that are no UTF-8") {
    CHECK(matches({.text = "^int \\w+$", .is_regex = true}, "int a\nint b;\nint c") ==
          "int a|int c");
    CHECK(matches({.text = "FOO\\d+", .is_regex = true, .ignores_case = true}, "foo1 Foo23") ==
          "foo1|Foo23");
    CHECK(matches({.text = "b+", .is_regex = true},
                  "\xFF\xFE"
                  "bb\x80"
                  "b") == "bb|b");
    CHECK(matches({.text = "ü", .is_regex = true}, "für") == "ü");
    CHECK(matches({.text = "x*", .is_regex = true}, "axxb") == "xx");  // never empty
    CHECK(matches({.text = "a(?=b)", .is_regex = true}, "ab ac") == "a");
    CHECK(matches({.text = "a\\Kb", .is_regex = true}, "ab") == "b");
  }

  TEST_CASE("what cannot be searched for is refused with the place") {
    CHECK(matches({.text = ""}, "x") == "there is nothing to search for");
    CHECK(matches({.text = "a(b", .is_regex = true}, "x") ==
          "the regular expression is wrong at byte 3: missing closing parenthesis");
    CHECK(matches({.text = std::string(1 << 20, 'a')}, "x") ==
          "the text to search for is longer than 4096 bytes");
  }

  TEST_CASE("an expression that explodes gives up") {
    const std::string text = std::string(40, 'a') + "!";
    const std::string answer = matches({.text = "(a+)+\\d(a*)*$", .is_regex = true}, text);
    const std::string deep =
        matches({.text = "(?:(?:a|aa)+)+b\\1?()", .is_regex = true}, std::string(5000, 'a'));
    CHECK((answer.empty() || answer.starts_with("the regular expression gave up")));
    CHECK((deep.empty() || deep.starts_with("the regular expression gave up")));
  }

  TEST_CASE("files by letters of their names, and of their folders before a slash") {
    const std::vector<std::string> paths = {
        "indexer/index.cpp", "indexer/resolve.cpp", "daemon/index_writer.cpp", "docs/index/a.md"};
    CHECK(find_files(paths, "index.cpp", 9).front() == "indexer/index.cpp");
    CHECK(find_files(paths, "resolve", 9) == std::vector<std::string>{"indexer/resolve.cpp"});
    CHECK(find_files(paths, "ind/res", 9) == std::vector<std::string>{"indexer/resolve.cpp"});
    CHECK(find_files(paths, "doc/a", 9) == std::vector<std::string>{"docs/index/a.md"});
    CHECK(find_files(paths, "in dex", 2).size() == 2);
    CHECK(find_files(paths, "zzz", 9).empty());
    CHECK(find_files(paths, std::string(1 << 20, 'a'), 9).empty());
    CHECK(find_files(paths, "/", 9).empty() == false);
    CHECK(find_files(paths, "", 9).size() == 4);
  }
}

}  // namespace kinglet::indexer
