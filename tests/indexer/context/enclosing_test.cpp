#include "indexer/context/enclosing.h"

#include <string>

#include <doctest/doctest.h>

#include "indexer/language.h"
#include "indexer/parse.h"

namespace kinglet::indexer {
namespace {

using Names = std::vector<std::string>;

struct File {
  std::string path;
  std::string text;
  Index index;

  File(std::string at, std::string of) : path(std::move(at)), text(std::move(of)) {
    index.put(path, *parse_file(language_of(path, text), text));
  }
  Names at(const std::string& place) const {
    return enclosing_names(
        index.snapshot(), path, std::string_view(text).substr(0, text.find(place)));
  }
};

}  // namespace

TEST_SUITE("indexer/context/enclosing") {
  TEST_CASE("functions and types around a place, the innermost first") {
    const File file("a.py",
                    "import os\n\nclass Store:\n    size = 1\n\n    def put(self, key):\n"
                    "        value = key\n        return value\n\ndef other():\n    pass\n");
    CHECK(file.at("value = key") == Names{"put", "Store"});
    CHECK(file.at("size = 1") == Names{"Store"});
    CHECK(file.at("pass") == Names{"other"});
    CHECK(file.at("import os").empty());
    // Below the last line of a function its next one is written.
    CHECK(file.at("def other") == Names{"put", "Store"});
    CHECK(enclosing_names(file.index.snapshot(), "a.py", file.text) == Names{"other"});
    const File braces("a.c", "int f(int key) {\n  return key;\n}\n");
    CHECK(enclosing_names(braces.index.snapshot(), "a.c", braces.text).empty());
  }

  TEST_CASE("a member defined outside of its type still says whose it is") {
    const File file("a.cc",
                    "namespace db {\nStatus Table::Put(int key) {\n  return use(key);\n}\n}\n");
    CHECK(file.at("return use") == Names{"Put", "Table"});
  }

  TEST_CASE("an older state of the file is not believed") {
    const File file("a.py", "def put(key):\n    one = key\n    return one\n");
    const std::string moved = "# a line more\n" + file.text;
    CHECK(enclosing_names(file.index.snapshot(), "a.py", moved.substr(0, moved.find("return")))
              .empty());
    CHECK(enclosing_names(file.index.snapshot(), "b.py", file.text).empty());
    CHECK(enclosing_names({}, "a.py", file.text).empty());
  }

  TEST_CASE("each becomes a name that stands close by") {
    std::vector<NearName> names = {{"near", 1, 2.0F, false}, {"Store", 30, 0.2F, false}};
    add_enclosing({"put", "Store", "near"}, names);
    REQUIRE(names.size() == 3);
    CHECK(names[0].name == "put");
    CHECK(names[0].distance == 1);
    CHECK(names[1].weight == 2.0F);
    CHECK(names[2].distance == 1);
    CHECK(names[2].weight == names[0].weight);
  }
}

}  // namespace kinglet::indexer
