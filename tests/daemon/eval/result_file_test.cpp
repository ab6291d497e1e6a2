#include "daemon/eval/result_file.h"

#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

struct Fixture {
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
  std::string read() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string error() const {
    const auto file = ResultFile::open(path);
    REQUIRE(!file);
    return file.error().message;
  }
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "results.jsonl";
};

constexpr const char* kRow = "{\"key\":\"a\",\"n\":1}\n";

}  // namespace

TEST_SUITE("daemon/eval/result_file") {
  TEST_CASE("what was added is found, now and later") {
    const Fixture fixture;
    {
      auto file = ResultFile::open(fixture.path);
      REQUIRE(file);
      CHECK(file->find("a") == nullptr);
      REQUIRE(file->add({{"key", "a"}, {"n", 1}}));
      CHECK(file->find("a")->at("n") == 1);
      CHECK(fixture.read() == kRow);
    }
    const auto file = ResultFile::open(fixture.path);
    REQUIRE(file);
    CHECK(file->find("a")->at("n") == 1);
    CHECK(file->find("b") == nullptr);
  }

  TEST_CASE("a run that was killed while it wrote loses that row alone") {
    const Fixture fixture;
    for (const char* torn : {"{\"key\":\"b\",", "{\"key\":\"b\",\"n\":2}", "x"}) {
      fixture.write(std::string(kRow) + torn);
      auto file = ResultFile::open(fixture.path);
      REQUIRE(file);
      CHECK(file->find("a") != nullptr);
      CHECK(file->find("b") == nullptr);
      REQUIRE(file->add({{"key", "c"}}));
      CHECK(fixture.read() == std::string(kRow) + "{\"key\":\"c\"}\n");
    }
    // Its first row, too.
    fixture.write("{\"key\":\"b\",\"n\":2}");
    REQUIRE(ResultFile::open(fixture.path));
    CHECK(fixture.read().empty());
  }

  TEST_CASE("a file of somebody else's stays as it is") {
    const Fixture fixture;
    for (const char* text :
         {"int main() {}\n", "int main() {}", "{\"n\":1}\n", "{\"key\":1}\n", "[]\n"}) {
      fixture.write(text);
      CHECK(fixture.error().find("give another file with --output") != std::string::npos);
      CHECK(fixture.read() == text);
    }
    CHECK(!ResultFile::open(fixture.folder / "none" / "results.jsonl"));
    CHECK(!ResultFile::open(fixture.folder.path()));
  }
}

}  // namespace kinglet::daemon
