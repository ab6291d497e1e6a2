#include "daemon/paths.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"

namespace kinglet::daemon {

namespace fs = std::filesystem;

namespace {

std::optional<fs::path> absolute_path(const Environment& environment, const char* name) {
  const auto value = environment(name);
  if (!value) return std::nullopt;
  fs::path path(*value);
  if (!path.is_absolute()) return std::nullopt;
  return path;
}

Result<fs::path> xdg_folder(const Environment& environment,
                            const char* variable,
                            const char* below_home) {
  if (auto path = absolute_path(environment, variable)) return *path / "kinglet";
  if (auto home = absolute_path(environment, "HOME")) return *home / below_home / "kinglet";
  return fail(ErrorCode::kNotFound,
              std::string("Neither ") + variable +
                  " nor HOME holds an absolute path. Set HOME to your home folder.");
}

std::string errno_text() {
  return std::generic_category().message(errno);
}

/// Makes `folder` and what is missing above it, then checks that it is ours alone. The check runs
/// on a descriptor, so that nobody swaps the folder between check and use of its mode.
Result<void> make_private(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorCode::kIo,
                "Cannot make the folder " + folder.string() + ": " + errno_text() +
                    ". Make it possible, or point the XDG variables elsewhere.");
  }
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                folder.string() + " cannot be used as a folder (" + errno_text() +
                    "). Remove it, or point the XDG variables elsewhere.");
  }
  if (status.st_uid != ::geteuid()) {
    return fail(ErrorCode::kInvalidArgument,
                folder.string() + " belongs to user " + std::to_string(status.st_uid) +
                    ", not to you. Remove it, or point the XDG variables elsewhere.");
  }
  if ((status.st_mode & 0077) != 0 && ::fchmod(fd.get(), 0700) != 0) {
    return fail(ErrorCode::kIo,
                "Cannot make " + folder.string() + " private (chmod 0700): " + errno_text());
  }
  return {};
}

}  // namespace

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

fs::path Paths::log_file(std::string_view process) const {
  return state / (std::string(process) + ".log");
}

Result<Paths> find_paths(const Environment& environment) {
  Paths paths;
  paths.config = TRY(xdg_folder(environment, "XDG_CONFIG_HOME", ".config"));
  paths.cache = TRY(xdg_folder(environment, "XDG_CACHE_HOME", ".cache"));
  paths.state = TRY(xdg_folder(environment, "XDG_STATE_HOME", ".local/state"));
  if (auto runtime = absolute_path(environment, "XDG_RUNTIME_DIR")) {
    paths.runtime = *runtime / "kinglet";
  } else {
    paths.runtime = "/tmp/kinglet-" + std::to_string(::geteuid());
  }
  return paths;
}

Result<void> make_folders(const Paths& paths) {
  // The runtime folder may lie in /tmp, where anyone could have made it first: a folder that was
  // open to others may already hold someone's socket, so it is refused instead of repaired.
  struct stat status {};
  if (::lstat(paths.runtime.c_str(), &status) == 0 && (status.st_mode & 0077) != 0 &&
      S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::kInvalidArgument,
                paths.runtime.string() +
                    " is open to other users. Check what is in it and remove it: Kinglet makes it "
                    "anew.");
  }
  for (const auto& folder : {paths.cache, paths.state, paths.runtime})
    TRY(make_private(folder));
  return {};
}

Result<fs::path> program_path() {
  std::error_code error;
  auto path = fs::read_symlink("/proc/self/exe", error);
  if (error) {
    return fail(ErrorCode::kIo,
                "Cannot read /proc/self/exe: " + error.message() + ". Is /proc mounted?");
  }
  return path;
}

Result<fs::path> share_folder() {
  return TRY(program_path()).parent_path().parent_path() / "share" / "kinglet";
}

}  // namespace kinglet::daemon
