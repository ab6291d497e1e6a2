// `kinglet index`, `symbols`, `refs` and `search`, as a person types them.
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::daemon {
namespace {

using test::Home;
using test::Json;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Site {
  Site() {
    home.write_config({{"clang", "off"}, {"exclude", {"*.tmp.c"}}});
    std::filesystem::create_directories(root / ".git");
    std::filesystem::create_directories(root / "src");
    write(".gitignore", "ignored.c\n");
    write("src/a.h", "int open_it(const char* name);\n");
    write("src/a.c", "#include \"a.h\"\nint open_it(const char* name) { return 1; }\n");
    write("src/b.c", "#include \"a.h\"\nint main(void) { return open_it(\"x\"); }\n");
    write("src/ignored.c", "int never;\n");
    write("src/x.tmp.c", "int never;\n");
    write("src/broken.c", "int f( {{{{ ;;; )) = 3 int;\n");
  }
  void write(const std::string& path, const std::string& text) const {
    std::ofstream(root / path) << text;
  }
  test::Outcome run(std::vector<std::string> arguments) const {
    return home.run(std::move(arguments));
  }

  Home home;
  std::filesystem::path root = home / "repository";
};

}  // namespace

TEST_SUITE("daemon/commands/index_verbs") {
  TEST_CASE("index: a summary, statistics, a dump that does not depend on how it came") {
    const Site site;
    const auto summary = site.run({"index", site.root});
    CHECK(summary.exit_code == 0);
    CHECK(contains(summary.output, site.root.string() + ": 5 files"));
    CHECK(site.run({"index", site.root, "--quiet"}).output.empty());
    const Json stats = Json::parse(site.run({"index", site.root, "-q", "--json"}).output);
    CHECK(stats["files"] == 5);
    CHECK(stats["leftOut"]["excluded"] == 1);
    CHECK(contains(site.run({"index", site.root, "--stats"}).output, "left out     1 excluded"));
    const std::string dump = site.run({"index", site.root, "-q", "--dump"}).output;
    CHECK(contains(dump, "file src/a.c c "));
    site.write("src/new.c", "int g;\n");
    site.run({"index", site.root, "-q"});
    std::filesystem::remove(site.root / "src/new.c");
    CHECK(site.run({"index", site.root, "-q", "--dump"}).output == dump);
    // No model was loaded for any of this.
    CHECK(site.home.processes("engine").empty());
  }

  TEST_CASE("index --explain: why not, or how") {
    const Site site;
    const auto explain = [&](const std::string& path) {
      return site.run({"index", site.root, "--explain", site.root / path}).output;
    };
    CHECK(contains(explain("src/a.c"), "src/a.c: indexed\n  language     c\n"));
    CHECK(contains(explain("src/a.c"), "definitions  1\n"));
    CHECK(contains(explain("src/ignored.c"), "not indexed: ignored (.gitignore:1: ignored.c)"));
    CHECK(contains(explain("src/x.tmp.c"), "not indexed: excluded (exclude:1: *.tmp.c)"));
    CHECK(contains(explain("src/broken.c"), "in errors"));
    const auto missing = site.run({"index", site.root, "--explain", site.root / "none.c"});
    CHECK(missing.exit_code == 1);
    const auto outside = site.run({"index", site.root, "--explain", "/etc/hostname"});
    CHECK(outside.exit_code == 1);
    CHECK(contains(outside.output, "nothing outside of it is indexed"));
  }

  TEST_CASE("symbols: fuzzy, by kind, as JSON; 1 when there is none") {
    const Site site;
    const auto found = site.run({"symbols", "opnit", "--repo", site.root});
    CHECK(found.exit_code == 0);
    CHECK(contains(found.output, "src/a.c:2:5  open_it  function\n"));
    const auto json = site.run({"symbols", "main", "--json", "--repo", site.root});
    CHECK(contains(json.output, "\"signature\":\"int main(void)\""));
    CHECK(site.run({"symbols", "open_it", "--kind", "class", "--repo", site.root}).exit_code == 1);
    const auto wrong = site.run({"symbols", "x", "--kind", "dragon", "--repo", site.root});
    CHECK(wrong.exit_code == 1);
    CHECK(contains(wrong.output, "there is no kind of symbol \"dragon\""));
  }

  TEST_CASE("refs: definitions first, then uses, each with its confidence") {
    const Site site;
    const auto found = site.run({"refs", (site.root / "src/b.c").string() + ":2:27"});
    CHECK(found.exit_code == 0);
    CHECK(contains(found.output, "src/a.c:2:5  int open_it(const char* name)"));
    CHECK(contains(found.output, "src/b.c:2:25  int main(void) { return open_it(\"x\"); }\n"));
    const std::size_t definition = found.output.find("definition");
    CHECK(definition < found.output.find("use "));
    const auto json =
        site.run({"refs", (site.root / "src/b.c").string() + ":2:27", "--json"}).output;
    CHECK(contains(json, "\"source\":\"syntax\""));
    CHECK(contains(json, "\"reasons\":["));

    const auto blank = site.run({"refs", (site.root / "src/b.c").string() + ":2:16"});
    CHECK(blank.exit_code == 1);
    CHECK(contains(blank.output, "no name stands at "));
    CHECK(site.run({"refs", (site.root / "src/b.c").string() + ":99:1"}).exit_code == 1);
    CHECK(contains(site.run({"refs", "b.c"}).output, "give FILE:LINE:COLUMN, counted from 1"));
    CHECK(contains(site.run({"refs", "none.c:1:1"}).output, "no such file: none.c"));
  }

  TEST_CASE("search: text, expressions, files") {
    const Site site;
    const auto text = site.run({"search", "open_it(\"", "--repo", site.root});
    CHECK(text.exit_code == 0);
    // Progress may stand beside it.
    CHECK(contains(text.output, "src/b.c:2:25: int main(void) { return open_it(\"x\"); }\n"));
    const auto regex = site.run({"search", "--regex", "^INT \\w+\\(v", "-i", "--repo", site.root});
    CHECK(contains(regex.output, "src/b.c:2:1: int main(void)"));
    CHECK(contains(site.run({"search", "--files", "s/b.c", "--repo", site.root}).output,
                   "src/b.c\n"));
    CHECK(site.run({"search", "never", "--repo", site.root}).exit_code == 1);
    CHECK(contains(site.run({"search", "--regex", "a(", "--repo", site.root}).output,
                   "the regular expression is wrong at byte 2"));
    CHECK(contains(site.run({"search", "int", "--limit", "1", "--repo", site.root}).output,
                   "There are more"));
  }
}

}  // namespace kinglet::daemon
