#include "daemon/commands/text_place.h"

#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

struct Folder {
  /// The file with a place in it.
  std::string write(const std::string& name, const std::string& text, const std::string& at) const {
    std::ofstream(folder / name, std::ios::binary) << text;
    return (folder / name).string() + at;
  }
  /// "LINE:COLUMN", counted from 1, or the error.
  std::string read(const std::string& text, const std::string& at) const {
    const auto place = read_place(write("a.c", text, at));
    if (!place) return place.error().message;
    return std::to_string(place->position.line + 1) + ":" +
           std::to_string(place->position.character + 1);
  }

  test::TemporaryFolder folder;
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string error_of(const std::string& place) {
  const auto read = read_place(place);
  return read ? "none" : read.error().message;
}

}  // namespace

TEST_SUITE("daemon/commands/text_place") {
  TEST_CASE("a place is read from its end") {
    REQUIRE(parse_place("a:b.c:3:14"));
    CHECK(parse_place("a:b.c:3:14")->file == "a:b.c");
    CHECK(parse_place("a.c:3:14")->line == 3);
    CHECK(parse_place("a.c:3:14")->column == 14);
    for (const char* wrong :
         {"", "a.c", "a.c:3", ":3:4", "a.c:0:1", "a.c:1:x", "a.c:1:-1", "a.c:99999999999:1"}) {
      CHECK(!parse_place(wrong));
      CHECK(contains(error_of(wrong), "is no place; give FILE:LINE:COLUMN, counted from 1"));
    }
  }

  TEST_CASE("columns are clamped to their line and to whole characters; lines are not") {
    const Folder folder;
    CHECK(folder.read("ab\ncd\n", ":2:2") == "2:2");
    CHECK(folder.read("ab\ncd\n", ":2:99") == "2:3");
    CHECK(folder.read("ab\r\ncd\r\n", ":1:99") == "1:3");
    CHECK(folder.read("ab\ncd\n", ":3:1") == "3:1");
    CHECK(contains(folder.read("ab\ncd\n", ":4:1"), "a.c has no line 4; give one of 1 to 3"));
    CHECK(folder.read("a\xE2\x82\xACz", ":1:3") == "1:2");
    CHECK(folder.read("a\xE2\x82\xACz", ":1:4") == "1:2");
    CHECK(folder.read("a\xE2\x82\xACz", ":1:5") == "1:5");
    CHECK(folder.read("", ":1:1") == "1:1");
    CHECK(folder.read("", ":1:5") == "1:1");
    CHECK(contains(folder.read("", ":2:1"), "has no line 2; give one of 1 to 1"));
  }

  TEST_CASE("what is not UTF-8 is made so, and the column with it") {
    const Folder folder;
    const auto place = read_place(folder.write("latin.c", "\xE4\n\xE4\xE4x\n", ":2:3"));
    REQUIRE(place);
    CHECK(place->text == "\uFFFD\n\uFFFD\uFFFDx\n");
    CHECK(place->position == lsp::Position{.line = 1, .character = 6});
    CHECK(place->params()["position"]["character"] == 6);
    CHECK(place->opening()["textDocument"]["text"] == place->text);
  }

  TEST_CASE("a file that cannot be completed in is named, with the way out") {
    const Folder folder;
    const std::string path = folder.folder.path().string();
    CHECK(error_of(path + "/none.c:1:1") ==
          "no such file: " + path + "/none.c; give one that is there");
    CHECK(contains(error_of(folder.write("a.c", "", "/b.c:1:1")), "no such file"));
    CHECK(error_of(path + ":1:1") == path + " is a folder; give a file in it");
    CHECK(error_of("/dev/null:1:1") == "/dev/null is no regular file; give a text file");
    CHECK(contains(error_of(folder.write("a.bin", std::string("a\0b", 3), ":1:1")),
                   "a.bin is binary ("));
    CHECK(contains(error_of(folder.write("big.c", std::string(9 << 20, '\n'), ":1:1")),
                   "big.c has 9 MiB; give a file of at most 8 MiB"));
  }
}

}  // namespace kinglet::daemon
