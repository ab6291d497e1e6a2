// `kinglet lsp`
#include <csignal>
#include <memory>

#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "daemon/base/unique_fd.h"
#include "daemon/commands/settings_flags.h"
#include "daemon/commands/verbs.h"
#include "daemon/log.h"
#include "daemon/processes/daemon_connection.h"
#include "daemon/processes/relay.h"
#include "daemon/version.h"
#include "lsp/json.h"

namespace kinglet::daemon {

namespace {

struct Options {
  SettingsFlags settings;
  bool standalone = false;
  bool stdio = false;  // accepted and without meaning
};

Result<int> run(const Options& options) {
  // Standard output belongs to the protocol; standard error to people.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("lsp"));
  spdlog::set_pattern("kinglet: %v");
  // An editor that is gone shows as an error of writing.
  std::signal(SIGPIPE, SIG_IGN);
  const auto paths = TRY(find_paths());
  // A daemon that was started with a wrong flag would only be seen not to start.
  TRY(options.settings.check());
  TRY(make_folders(paths));
  if (options.standalone) {
    auto loaded = TRY(load_config(paths, options.settings));
    return run_standalone(UniqueFd(STDIN_FILENO),
                          UniqueFd(STDOUT_FILENO),
                          options.settings.as_json(),
                          {.services = make_services_options(paths, std::move(loaded))});
  }
  const Hello hello{.version = kVersion,
                    .purpose = Purpose::kLsp,
                    .settings = lsp::to_text(options.settings.as_json())};
  return run_relay({.input = UniqueFd(STDIN_FILENO),
                    .output = UniqueFd(STDOUT_FILENO),
                    .connect = [&]() -> Result<UniqueFd> {
                      // Each time: `kinglet purge` may have deleted them since.
                      TRY(make_folders(paths));
                      auto daemon = TRY(
                          connect_or_start_daemon(paths, hello, options.settings.as_arguments()));
                      return std::move(daemon.socket);
                    }});
}

}  // namespace

Action lsp_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->settings.add_to(app);
  app.add_flag("--standalone", options->standalone, "Serve this one editor without a daemon");
  // Editors' clients pass it out of habit.
  app.add_flag("--stdio", options->stdio, "Standard input and output; there is no other way")
      ->group("");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
