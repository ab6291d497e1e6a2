#include "indexer/clang/input_check.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/support/skip.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::indexer::clang {
namespace {

namespace fs = std::filesystem;

class Sources {
 public:
  Sources() : root_(fs::canonical(folder_.path()) / "repo") { fs::create_directory(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  /// "fine", or what is wrong.
  std::string check(std::vector<std::string> flags = {}) const {
    const auto checked =
        check_inputs({.root = root_.string(), .path = "main.c", .flags = flags, .unsaved = {}});
    return checked ? "fine" : checked.error().message;
  }
  const fs::path& root() const { return root_; }

 private:
  test::TemporaryFolder folder_;
  fs::path root_;
};

bool says(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("indexer/clang/input_check") {
  TEST_CASE("ordinary includes are fine, missing ones, too") {
    const Sources sources;
    sources.write("a.h", "#include \"b.h\"\n");
    sources.write("b.h", "#include \"a.h\"\n#include <stdio.h>\n#include \"missing.h\"\n");
    sources.write("main.c", "#include \"a.h\"\n");
    CHECK(sources.check() == "fine");
  }

  TEST_CASE("a FIFO is found before it hangs anybody, however deep") {
    const Sources sources;
    sources.write("main.c", "#include \"a.h\"\n");
    sources.write("a.h", "#  include  <inner/b.h>\n");
    sources.write("inc/inner/b.h", "#include \"pipe.h\"\n");
    REQUIRE(::mkfifo((sources.root() / "inc/inner/pipe.h").c_str(), 0600) == 0);
    CHECK(sources.check() == "fine");  // not found without its folder
    const std::string message = sources.check({"-I" + (sources.root() / "inc").string()});
    CHECK(says(message, "pipe.h, which is not a regular file"));
  }

  TEST_CASE("devices are refused") {
    const Sources sources;
    sources.write("main.c", "#include \"/dev/zero\"\n");
    CHECK(says(sources.check(), "/dev/zero, which is not a regular file"));
    sources.write("main.c", "#embed \"../../../../../../../../dev/zero\"\n");
    CHECK(says(sources.check(), "which is not a regular file"));
  }

  TEST_CASE("files outside the root are refused, by name and by link") {
    const Sources sources;
    std::ofstream(sources.root().parent_path() / "secret.h") << "int secret;\n";
    sources.write("main.c", "#include \"../secret.h\"\n");
    CHECK(says(sources.check(), "neither in the repository nor a system header"));
    sources.write("main.c", "#include \"link.h\"\n");
    fs::create_symlink(sources.root().parent_path() / "secret.h", sources.root() / "link.h");
    CHECK(says(sources.check(), "neither in the repository nor a system header"));
    sources.write("main.c", "#include \"/etc/passwd\"\n");
    CHECK(says(sources.check(), "neither in the repository nor a system header"));
  }

  TEST_CASE("a forced include is looked at, too") {
    const Sources sources;
    sources.write("main.c", "");
    sources.write("force.h", "#include \"/dev/zero\"\n");
    CHECK(says(sources.check({"-include", (sources.root() / "force.h").string()}), "/dev/zero"));
  }

  TEST_CASE("with Landlock nothing outside can be read, written or run") {
    const Sources sources;
    sources.write("main.c", "int x;\n");
    std::ofstream(sources.root().parent_path() / "secret.h") << "int secret;\n";
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      if (!limit_reading(sources.root().string(), {})) ::_exit(77);
      const auto can_open = [](const fs::path& path, int flags) {
        return ::open(path.c_str(), flags | O_CLOEXEC, 0600) >= 0;
      };
      int wrong = 0;
      if (!can_open(sources.root() / "main.c", O_RDONLY)) wrong |= 1;
      if (can_open(sources.root().parent_path() / "secret.h", O_RDONLY)) wrong |= 2;
      if (can_open("/etc/passwd", O_RDONLY)) wrong |= 4;
      if (can_open("/dev/zero", O_RDONLY)) wrong |= 8;
      if (can_open(sources.root() / "main.c", O_WRONLY)) wrong |= 16;
      if (can_open(sources.root() / "new.c", O_WRONLY | O_CREAT)) wrong |= 32;
      ::execl("/bin/false", "false", nullptr);  // ends with 1 if it may
      ::_exit(wrong);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) SKIP("this kernel has no Landlock");
    CHECK(WEXITSTATUS(status) == 0);
  }
}

}  // namespace kinglet::indexer::clang
