// `kinglet daemon`
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/spdlog.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "daemon/base/unique_fd.h"
#include "daemon/commands/settings_flags.h"
#include "daemon/commands/verbs.h"
#include "daemon/log.h"
#include "daemon/processes/broker.h"
#include "daemon/processes/spawn.h"
#include "daemon/version.h"

namespace kinglet::daemon {

namespace {

struct Options {
  SettingsFlags settings;
  std::optional<std::uint32_t> idle_exit_seconds;
  bool announce = false;
};

/// Drivers and the C library write there, past the log and its rotation.
void start_stderr_anew(const Paths& paths) {
  constexpr std::uintmax_t kMaxBytes = 1 << 20;
  const auto file = paths.log_file("stderr");
  std::error_code error;
  if (std::filesystem::file_size(file, error) > kMaxBytes && !error) {
    std::filesystem::resize_file(file, 0, error);
  }
}

Result<int> run(const Options& options) {
  // Whoever started us waits at the other end of this pipe.
  UniqueFd announcement(options.announce ? kInheritedFd : -1);
  if (announcement.is_open()) ::fcntl(announcement.get(), F_SETFD, FD_CLOEXEC);
  const auto paths = TRY(find_paths());
  TRY(make_folders(paths));
  auto loaded = TRY(load_config(paths, options.settings));
  const Config& config = loaded.config;
  TRY(start_log(paths, "daemon", config.log_level));
  for (const auto& problem : loaded.problems)
    spdlog::warn("configuration: {}", problem);
  const std::uint32_t idle_exit = options.idle_exit_seconds.value_or(config.idle_exit_seconds);

  boost::asio::io_context io(1);
  Broker broker(io,
                {.services = make_services_options(paths, std::move(loaded)),
                 .idle_exit = std::chrono::seconds(idle_exit)});
  TRY(broker.listen());
  start_stderr_anew(paths);
  // Any folder may be deleted or unmounted under us; this one stays.
  if (::chdir("/") != 0) spdlog::warn("cannot change to /");
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const auto& error, int signal) {
    if (error) return;
    spdlog::info("signal {}", signal);
    broker.finish();
  });
  broker.on_finish([&] { signals.cancel(); });
  spdlog::info("daemon {} {} listens on {}", kVersion, ::getpid(), paths.socket().string());
  if (announcement.is_open() && ::write(announcement.get(), "1", 1) != 1) {
    spdlog::warn("who started the daemon is gone already");
  }
  announcement.reset();
  io.run();
  spdlog::info("daemon {} ends", ::getpid());
  return 0;
}

}  // namespace

Action daemon_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->settings.add_to(app);
  app.add_option("--idle-exit",
                 options->idle_exit_seconds,
                 "Finish after that many seconds without clients; 0: never");
  app.add_flag("--announce", options->announce, "Say on descriptor 3 when clients may come")
      ->group("");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
