// `kinglet purge`
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

#include "daemon/commands/verbs.h"
#include "daemon/paths.h"
#include "daemon/processes/daemon_connection.h"

namespace kinglet::daemon {

namespace {

namespace fs = std::filesystem;

bool is_confirmed(const Paths& paths) {
  std::printf("This deletes\n  %s\n  %s\nand nothing else. Go on? [y/N] ",
              paths.cache.c_str(),
              paths.state.c_str());
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

Result<int> run(bool without_asking) {
  const auto paths = TRY(find_paths());
  if (!without_asking && !is_confirmed(paths)) {
    std::puts("Nothing was deleted.");
    return 1;
  }
  // It holds files open there, and would write on.
  TRY(stop_daemon(paths));
  for (const auto& folder : {paths.cache, paths.state}) {
    std::error_code error;
    const auto n_removed = fs::remove_all(folder, error);
    if (error) {
      return fail(ErrorCode::kIo, "Cannot delete " + folder.string() + ": " + error.message());
    }
    std::printf("%s: %ju files and folders deleted\n", folder.c_str(), n_removed);
  }
  return 0;
}

}  // namespace

Action purge_command(CLI::App& app) {
  auto without_asking = std::make_shared<bool>(false);
  app.add_flag("-y,--yes", *without_asking, "Do not ask");
  return [without_asking] { return run(*without_asking); };
}

}  // namespace kinglet::daemon
