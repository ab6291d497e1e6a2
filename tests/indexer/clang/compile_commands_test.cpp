#include "indexer/clang/compile_commands.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::indexer::clang {
namespace {

namespace fs = std::filesystem;

class Repository {
 public:
  Repository() : root_(fs::canonical(folder_.path()) / "repo") { fs::create_directory(root_); }

  void write(const std::string& path, const std::string& text = "") const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  /// A database with one command, which defines a macro.
  void database(const std::string& path, const std::string& file, const std::string& macro) const {
    write(path,
          R"([{"directory": ")" + root() + R"(", "file": ")" + file + R"(", "command": "cc -D)" +
              macro + " -c " + file + R"("}])");
  }
  std::string root() const { return root_.string(); }
  const fs::path& outside() const { return folder_.path(); }

  std::string flags(const std::string& path) const {
    CompileCommands commands(root());
    return joined(commands.command_for(path));
  }
  static std::string joined(const CompileCommand& command) {
    static const char* const kNames[] = {"own", "sibling", "inferred"};
    std::string text = kNames[static_cast<int>(command.source)];
    for (const auto& flag : command.flags)
      text += " " + flag;
    return text;
  }

 private:
  test::TemporaryFolder folder_;
  fs::path root_;
};

std::string parse(const std::string& text) {
  const auto database = CompilationDatabase::parse_commands(text, "/repo");
  if (!database) return "refused: " + database.error().message;
  std::string files;
  for (const auto& file : database->files())
    files += file + " ";
  return files;
}

}  // namespace

TEST_SUITE("indexer/clang/compile_commands") {
  TEST_CASE("the nearest folder above the file that has a database counts") {
    Repository repository;
    repository.database("compile_commands.json", "top.cc", "TOP");
    repository.database("lib/build/compile_commands.json", "lib/a.cc", "LIB");
    CHECK(repository.flags("top.cc") == "own -DTOP");
    CHECK(repository.flags("lib/a.cc") == "own -DLIB");
    CHECK(repository.flags("lib/deep/b.cc") == "sibling -DLIB");
    CHECK(repository.flags("other/b.cc") == "sibling -DTOP");
  }

  TEST_CASE("common build folders are looked into") {
    for (const char* folder :
         {"build", "cmake-build-debug", "out", "builddir", "build/release", "out/Default"}) {
      Repository repository;
      repository.database(std::string(folder) + "/compile_commands.json", "a.cc", "FOUND");
      CHECK(repository.flags("a.cc") == "own -DFOUND");
    }
  }

  TEST_CASE("compile_flags.txt holds for all files below it") {
    Repository repository;
    repository.write("sub/compile_flags.txt", "-DA\r\n-Iinclude\n\n-fplugin=x\n");
    CHECK(repository.flags("sub/x/a.cc") == "own -DA -I" + repository.root() + "/sub/include");
  }

  TEST_CASE("a header takes the nearest file's command, as a header of that language") {
    Repository repository;
    repository.database("compile_commands.json", "src/a.cc", "CXX");
    CHECK(repository.flags("src/a.h") == "sibling -DCXX -xc++-header");
    repository.database("compile_commands.json", "src/a.c", "PLAIN");
    CHECK(repository.flags("include/b.h") == "sibling -DPLAIN -xc-header");
  }

  TEST_CASE("the same stem is nearer than the same folder, and C is no model for C++") {
    Repository repository;
    const auto entry = [&](const std::string& file, const std::string& macro) {
      return R"({"directory": "/", "file": ")" + repository.root() + "/" + file +
             R"(", "arguments": ["cc", "-D)" + macro + R"("]})";
    };
    repository.write("compile_commands.json",
                     "[" + entry("src/one.cc", "ONE") + "," + entry("src/two.cc", "TWO") + "," +
                         entry("inc/c.c", "C") + "]");
    CHECK(repository.flags("inc/two.h") == "sibling -DTWO -xc++-header");
    CHECK(repository.flags("inc/c.cc") == "sibling -DONE");
    CHECK(repository.flags("src/new.c") == "sibling -DC");
  }

  TEST_CASE("without a database flags are inferred, and the command says so") {
    Repository repository;
    repository.write("include/x.h");
    repository.write("src/a.cc");
    CHECK(repository.flags("src/a.cc") == "inferred -std=c++20 -I" + repository.root() + "/src -I" +
                                              repository.root() + " -I" + repository.root() +
                                              "/include -I" + repository.root() + "/src");
    CHECK(repository.flags("a.c").starts_with("inferred -std=c17"));
  }

  TEST_CASE("a database may be a link below the root, and never leads out of it") {
    Repository repository;
    repository.database("obj/x.json", "a.cc", "LINKED");
    fs::create_symlink("obj/x.json", fs::path(repository.root()) / "compile_commands.json");
    CHECK(repository.flags("a.cc") == "own -DLINKED");
    fs::remove(fs::path(repository.root()) / "compile_commands.json");
    std::ofstream(repository.outside() / "evil.json")
        << R"([{"directory": ")" + repository.root() +
               R"(", "file": "a.cc", "command": "cc -DX"}])";
    fs::create_symlink(repository.outside() / "evil.json",
                       fs::path(repository.root()) / "compile_commands.json");
    CompileCommands commands(repository.root());
    CHECK(commands.command_for("a.cc").source == CommandSource::kInferred);
    REQUIRE(commands.problems().size() == 1);
    CHECK(commands.problems()[0] == "compile_commands.json: a link out of the root");
  }

  TEST_CASE("FIFOs, folders and huge files are no databases") {
    Repository repository;
    const std::string file = repository.root() + "/compile_commands.json";
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    fs::create_directory(fs::path(repository.root()) / "compile_flags.txt");
    repository.write("build/compile_commands.json");
    fs::resize_file(fs::path(repository.root()) / "build/compile_commands.json", 100 << 20);
    CompileCommands commands(repository.root());
    CHECK(commands.command_for("a.cc").source == CommandSource::kInferred);
    CHECK(commands.problems() ==
          std::vector<std::string>{"compile_commands.json: not a regular file",
                                   "build/compile_commands.json: larger than 64 MiB",
                                   "compile_flags.txt: not a regular file"});
  }

  TEST_CASE("files outside the root have no command here") {
    CHECK(parse(R"([{"directory": "/repo/b", "file": "../a.cc", "command": "cc"},
                    {"directory": "/repo/b", "file": "../../x.cc", "command": "cc"},
                    {"directory": "/", "file": "/etc/y.cc", "command": "cc"},
                    {"directory": "/repo", "file": "notes.txt", "command": "cc"}])") == "a.cc ");
  }

  TEST_CASE("garbage is refused or passed over") {
    CHECK(parse("") == "refused: not a JSON list of commands");
    CHECK(parse("{}") == "refused: not a JSON list of commands");
    CHECK(parse("[1, null, \"x\", [[]], {}]") == "");
    CHECK(parse("[}") == "refused: not well-formed JSON");
    CHECK(parse(R"([{"file": 3, "command": ["x"], "directory": {"file": "a.cc"}}])") == "");
    CHECK(parse(R"([{"file": "/repo/a.cc", "arguments": ["cc", 1, ["-DX"], null]}])") == "a.cc ");
    CHECK(parse(R"([{"file": "/repo/a.cc", "x": {"file": "/repo/b.cc"}}])") == "a.cc ");
    // A build is writing it: what is whole counts.
    CHECK(parse(R"([{"file": "/repo/a.cc", "command": "cc"}, {"file": "/re)") == "a.cc ");
    CHECK(parse(std::string(5 << 20, '[')) == "refused: not well-formed JSON");
    std::string nested;
    for (int i = 0; i < 200'000; ++i)
      nested += "[{\"file\":";
    CHECK(parse(nested) == "refused: not well-formed JSON");
  }

  TEST_CASE("units are the sources with a command of their own") {
    Repository repository;
    repository.database("compile_commands.json", "src/a.cc", "A");
    CompileCommands commands(repository.root());
    const std::vector<std::string> paths = {"src/a.cc", "src/a.h", "src/b.cc", "README.md"};
    CHECK(commands.units(paths) == std::vector<std::string>{"src/a.cc"});
  }
}

}  // namespace kinglet::indexer::clang
