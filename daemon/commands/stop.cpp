// `kinglet stop`
#include <cstdio>

#include "daemon/commands/verbs.h"
#include "daemon/paths.h"
#include "daemon/processes/daemon_connection.h"

namespace kinglet::daemon {

namespace {

Result<int> run() {
  const auto paths = TRY(find_paths());
  const bool was_running = TRY(stop_daemon(paths));
  std::puts(was_running ? "The daemon has finished." : "No daemon is running.");
  return 0;
}

}  // namespace

Action stop_command(CLI::App&) {
  return run;
}

}  // namespace kinglet::daemon
