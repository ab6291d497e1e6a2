// The log of one process: <state>/<process>.log, rotated, readable by its user alone.
//
// It holds no code: never log a document's or file's text, a prompt, a completion or a message's
// body. Paths, counts, times, hashes and error messages are fine.
#pragma once

#include <string_view>

#include "daemon/base/result.h"
#include "daemon/paths.h"

namespace kinglet::daemon {

/// Makes spdlog's default logger (spdlog::info and so on) write there. `level`: error, warn, info
/// or debug. Errors: kIo naming the file.
Result<void> start_log(const Paths& paths, std::string_view process, std::string_view level);

}  // namespace kinglet::daemon
