// `kinglet clang-worker`: started by the broker with its socket as kInheritedFd.
#include <memory>
#include <string>

#include "daemon/commands/verbs.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "daemon/processes/clang_worker.h"
#include "daemon/processes/spawn.h"

namespace kinglet::daemon {

Action clang_worker_command(CLI::App& app) {
  auto log_level = std::make_shared<std::string>("info");
  app.add_option("--log-level", *log_level);
  return [log_level]() -> Result<int> {
    UniqueFd socket = TRY(inherited_socket());
    const auto paths = TRY(find_paths());
    TRY(start_log(paths, "clang-worker", *log_level));
    return run_clang_worker(std::move(socket));
  };
}

}  // namespace kinglet::daemon
