// Where Kinglet keeps things: the folders of the XDG base directory specification, each ours alone
// (mode 0700).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "daemon/base/result.h"

namespace kinglet::daemon {

/// Looks a variable of the environment up; unset and empty are the same.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

struct Paths {
  std::filesystem::path config;   // config.json
  std::filesystem::path cache;    // index store, pipeline caches: may be deleted at any time
  std::filesystem::path state;    // logs
  std::filesystem::path runtime;  // socket and locks of the running daemon

  std::filesystem::path config_file() const { return config / "config.json"; }
  std::filesystem::path index_store() const { return cache / "index.sqlite3"; }
  std::filesystem::path socket() const { return runtime / "daemon.sock"; }
  /// Held by the running daemon for as long as it lives.
  std::filesystem::path daemon_lock() const { return runtime / "daemon.lock"; }
  /// Held by a relay while it looks for a daemon and starts one, so that two relays start one.
  std::filesystem::path start_lock() const { return runtime / "start.lock"; }
  std::filesystem::path log_file(std::string_view process) const;
};

/// Computes the paths; touches nothing. A variable that is not an absolute path counts as unset, as
/// the specification asks. Without XDG_RUNTIME_DIR the runtime folder is /tmp/kinglet-UID.
/// Errors: kNotFound when neither HOME nor the XDG variables name a place.
Result<Paths> find_paths(const Environment& environment = process_environment());

/// Makes cache, state and runtime (not config: that is the user's to make), each with mode 0700.
/// Errors: kIo when a folder cannot be made; kInvalidArgument when one exists and belongs to
/// someone else, is a link or not a folder, or when the runtime folder is open to others.
Result<void> make_folders(const Paths& paths);

/// The running program, from /proc/self/exe.
Result<std::filesystem::path> program_path();

/// <prefix>/share/kinglet beside the running program's bin folder, where an installed Kinglet
/// keeps its models and plugins.
Result<std::filesystem::path> share_folder();

}  // namespace kinglet::daemon
