// A repository in which everything is wrong that a person or a program can put there: it is indexed
// as far as sense goes, says why not, and nothing else suffers.
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/daemon/home.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

class HostileRepository {
 public:
  HostileRepository() {
    home.write_config({{"clang", "all"}, {"navigation", "on"}, {"completions", false}});
    fs::create_directories(root / "sub");
    write(".git", "gitdir: ../elsewhere\n");
    write("good.c", "int good_function(void) { return 1; }\n");
    write("sub/also.py", "def also_good():\n    return 1\n");
  }

  void write(const std::string& path, const std::string& text) const {
    std::ofstream(root / path, std::ios::binary) << text;
  }
  std::string explain(const std::string& path) const {
    return home.run({"index", root, "--explain", root / path}).output;
  }
  Json stats() const {
    const auto outcome = home.run({"index", root, "-q", "--json"});
    REQUIRE_MESSAGE(outcome.exit_code == 0, outcome.output);
    return Json::parse(outcome.output);
  }
  bool finds(const std::string& name) const {
    return home.run({"symbols", name, "--repo", root}).output.find(name) != std::string::npos;
  }

  Home home;
  fs::path root = home / "repository";
};

std::string repeated(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i)
    all += text;
  return all;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("daemon/hostile_repository") {
  TEST_CASE("links, pipes, devices, sparse and deep things: the rest is indexed") {
    HostileRepository repository;
    const fs::path& root = repository.root;
    const fs::path secret = repository.home / "secret.c";
    std::ofstream(secret) << "int outside_secret(void) { return 2; }\n";
    fs::create_symlink(secret, root / "out.c");
    fs::create_directory_symlink(repository.home.folder(), root / "out");
    fs::create_directory_symlink("..", root / "sub" / "loop");
    fs::create_symlink("itself.c", root / "itself.c");
    REQUIRE(::mkfifo((root / "pipe.c").c_str(), 0600) == 0);
    const bool has_device =
        ::mknod((root / "device.c").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0;  // zero
    {
      const UniqueFd sparse(
          ::open((root / "sparse.c").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      REQUIRE(::ftruncate(sparse.get(), off_t{1} << 40) == 0);
    }
    // Longer than any path may be: made from within.
    const UniqueFd start(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    UniqueFd at(::openat(start.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int depth = 0; depth < 4000; ++depth) {
      REQUIRE(::mkdirat(at.get(), "deep", 0700) == 0);
      at = UniqueFd(::openat(at.get(), "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    close(::openat(at.get(), "bottom.c", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));

    const Json stats = repository.stats();
    CHECK(stats["files"] == 2);
    CHECK(repository.finds("good_function"));
    CHECK(repository.finds("also_good"));
    CHECK(!repository.finds("outside_secret"));
    CHECK(contains(repository.explain("out.c"), "not indexed: link"));
    CHECK(contains(repository.explain("sub/loop"), "not indexed: link"));
    CHECK(contains(repository.explain("pipe.c"), "not indexed: not-regular"));
    if (has_device) CHECK(contains(repository.explain("device.c"), "not indexed: not-regular"));
    CHECK(contains(repository.explain("sparse.c"), "not indexed: huge"));
    CHECK(repository.home.status()["parseWorkers"]["restarts"] == 0);
  }

  TEST_CASE("encodings, one-line files and brackets without end") {
    HostileRepository repository;
    repository.write("latin1.c",
                     "int caf\xe9_size(void); // d\xe9j\xe0 vu\nint plain_name(void);\n");
    std::string utf16 = "\xff\xfe";
    for (const char c : std::string("int wide_name(void);\n"))
      utf16 += std::string(1, c) + '\0';
    repository.write("utf16.c", utf16);
    repository.write("minified.js", "var minified_name=1;" + repeated("f(1);", 200'000));
    repository.write("\xff\xfe name.c", "int unspeakable(void);\n");
    repository.write(
        "brackets.c",
        repeated("((((((((\n", 12'500) + "\n\nint after_brackets(void) { return 1; }\n");
    repository.write("braces.js",
                     repeated("{{{{{{{{\n", 12'500) + "\nfunction after_braces() {}\n");
    const Json stats = repository.stats();
    CHECK(repository.finds("good_function"));
    CHECK(repository.finds("plain_name"));
    CHECK(!repository.finds("unspeakable"));
    CHECK(contains(repository.explain("latin1.c"), "latin1.c: indexed"));
    CHECK(contains(repository.explain("utf16.c"), "not indexed: "));
    CHECK(contains(repository.explain("minified.js"), "not indexed: "));
    CHECK(contains(repository.explain("brackets.c"), "brackets.c: indexed"));
    CHECK(repository.finds("after_brackets"));
    CHECK(repository.finds("after_braces"));
    CHECK(repository.home.status()["parseWorkers"]["restarts"] == 0);
    CHECK(stats["problems"].empty());
  }

  TEST_CASE("sources that end libclang are answered by syntax, the others by libclang") {
    HostileRepository repository;
    std::string chain = "int chained(int x) {\n  if (x == 0) return 0;\n";
    for (int i = 1; i < 10'000; ++i)
      chain += "  else if (x == " + std::to_string(i) + ") return " + std::to_string(i) + ";\n";
    repository.write("chain.c", chain + "  return -1;\n}\n");
    repository.write("sum.c",
                     "int summed(void) {\n  return 1" + repeated("\n + 1", 70'000) + ";\n}\n");
    repository.write("zero.c", "#include \"/dev/zero\"\nint zeroed(void) { return 1; }\n");
    Json commands = Json::array();
    for (const char* file : {"good.c", "chain.c", "sum.c", "zero.c"}) {
      commands.push_back({{"directory", repository.root.string()},
                          {"file", file},
                          {"arguments", {"cc", "-c", file}}});
    }
    repository.write("compile_commands.json", commands.dump());
    repository.stats();
    for (const std::string name : {"good_function", "chained", "summed", "zeroed"})
      CHECK_MESSAGE(repository.finds(name), name);
    const bool has_libclang = contains(repository.home.run({"doctor"}).output, "clang version");
    if (!has_libclang) {
      MESSAGE("skipped: no libclang");
      return;
    }
    Editor editor(repository.home);
    editor.initialize(repository.root);
    Json clang;
    wait_until("libclang's units", [&] {
      clang = editor.call("kinglet/status", nullptr)["result"]["repositories"][0]["clang"];
      return clang["units"] == 4 && clang["waiting"] == 0;
    });
    CHECK(clang["failed"] >= 1);
    CHECK(contains(repository.explain("zero.c"), "libclang"));
    CHECK(!contains(repository.explain("good.c"), "libclang"));
    const auto found =
        repository.home.run({"refs", (repository.root / "good.c").string() + ":1:6", "--json"});
    CHECK(contains(found.output, "\"source\":\"compiler\""));
  }
}

}  // namespace kinglet::test
