#include "daemon/paths.h"

#include <filesystem>
#include <fstream>
#include <map>

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;

Environment variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

Paths paths_below(const fs::path& folder) {
  return *find_paths(variables({{"XDG_CONFIG_HOME", folder / "config"},
                                {"XDG_CACHE_HOME", folder / "cache"},
                                {"XDG_STATE_HOME", folder / "state"},
                                {"XDG_RUNTIME_DIR", folder / "run"}}));
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

}  // namespace

TEST_SUITE("daemon/paths") {
  TEST_CASE("XDG variables name the folders") {
    const auto paths = find_paths(variables({{"HOME", "/home/ada"},
                                             {"XDG_CONFIG_HOME", "/c"},
                                             {"XDG_CACHE_HOME", "/k"},
                                             {"XDG_STATE_HOME", "/s"},
                                             {"XDG_RUNTIME_DIR", "/run/user/7"}}));
    REQUIRE(paths);
    CHECK(paths->config_file() == "/c/kinglet/config.json");
    CHECK(paths->cache == "/k/kinglet");
    CHECK(paths->log_file("engine") == "/s/kinglet/engine.log");
    CHECK(paths->socket() == "/run/user/7/kinglet/daemon.sock");
  }

  TEST_CASE("without them the folders lie below HOME, the runtime folder in /tmp") {
    const auto paths = find_paths(variables({{"HOME", "/home/ada"}}));
    REQUIRE(paths);
    CHECK(paths->config == "/home/ada/.config/kinglet");
    CHECK(paths->cache == "/home/ada/.cache/kinglet");
    CHECK(paths->state == "/home/ada/.local/state/kinglet");
    CHECK(paths->runtime == "/tmp/kinglet-" + std::to_string(::geteuid()));
  }

  TEST_CASE("a relative path in a variable counts as unset") {
    const auto paths = find_paths(variables({{"HOME", "/home/ada"}, {"XDG_CACHE_HOME", "cache"}}));
    REQUIRE(paths);
    CHECK(paths->cache == "/home/ada/.cache/kinglet");
  }

  TEST_CASE("no place at all is an error that names the way out") {
    const auto paths = find_paths(variables({}));
    REQUIRE(!paths);
    CHECK(paths.error().code == ErrorCode::kNotFound);
    CHECK(paths.error().message ==
          "Neither XDG_CONFIG_HOME nor HOME holds an absolute path. Set HOME to your home folder.");
  }

  TEST_CASE("folders are made private, and a second time changes nothing") {
    const test::TemporaryFolder folder;
    const Paths paths = paths_below(folder.path());
    for (int i = 0; i < 2; ++i) {
      REQUIRE(make_folders(paths));
      CHECK(mode_of(paths.cache) == 0700);
      CHECK(mode_of(paths.state) == 0700);
      CHECK(mode_of(paths.runtime) == 0700);
      CHECK(!fs::exists(paths.config));
    }
  }

  TEST_CASE("a cache folder open to others is closed") {
    const test::TemporaryFolder folder;
    const Paths paths = paths_below(folder.path());
    fs::create_directories(paths.cache);
    ::chmod(paths.cache.c_str(), 0755);
    REQUIRE(make_folders(paths));
    CHECK(mode_of(paths.cache) == 0700);
  }

  TEST_CASE("a runtime folder open to others is refused: someone may have put a socket there") {
    const test::TemporaryFolder folder;
    const Paths paths = paths_below(folder.path());
    fs::create_directories(paths.runtime);
    ::chmod(paths.runtime.c_str(), 0777);
    const auto made = make_folders(paths);
    REQUIRE(!made);
    CHECK(made.error().code == ErrorCode::kInvalidArgument);
    CHECK(made.error().message.find(paths.runtime.string()) == 0);
  }

  TEST_CASE("a folder that cannot be made is named, with the reason and the way out") {
    const test::TemporaryFolder folder;
    Paths paths = paths_below(folder.path());
    std::ofstream(folder / "file") << "x";
    paths.cache = folder / "file/kinglet";
    const auto made = make_folders(paths);
    REQUIRE(!made);
    CHECK(made.error().message == "Cannot make the folder " + paths.cache.string() +
                                      ": Not a directory. Make it possible, or point the XDG "
                                      "variables elsewhere.");
  }

  TEST_CASE("a link or a file in a folder's place is refused") {
    const test::TemporaryFolder folder;
    const Paths paths = paths_below(folder.path());
    fs::create_directories(folder / "elsewhere");
    fs::create_directories(paths.runtime.parent_path());
    SUBCASE("link") {
      fs::create_directory_symlink(folder / "elsewhere", paths.runtime);
    }
    SUBCASE("file") {
      std::ofstream(paths.runtime) << "x";
    }
    const auto made = make_folders(paths);
    REQUIRE(!made);
    CHECK(made.error().code == ErrorCode::kInvalidArgument);
  }
}

}  // namespace kinglet::daemon
