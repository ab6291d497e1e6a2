#include "daemon/log.h"

#include <memory>
#include <string>

#include <sys/stat.h>

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>

namespace kinglet::daemon {

namespace {
constexpr std::size_t kMaxLogBytes = 1 << 20;
constexpr std::size_t kKeptLogs = 2;
}  // namespace

Result<void> start_log(const Paths& paths, std::string_view process, std::string_view level) {
  // spdlog leaves the mode of its files to the umask.
  ::umask(0077);
  const std::string file = paths.log_file(process).string();
  try {
    auto logger = spdlog::rotating_logger_mt(std::string(process), file, kMaxLogBytes, kKeptLogs);
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %P %l %v");
    logger->set_level(spdlog::level::from_str(std::string(level)));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& error) {
    return fail(ErrorCode::kIo, "Cannot write the log " + file + ": " + error.what());
  }
  return {};
}

}  // namespace kinglet::daemon
