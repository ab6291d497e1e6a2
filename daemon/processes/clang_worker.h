// `kinglet clang-worker`: the process that loads libclang, apart from everything else, because
// sources end it: 10,000 chained `else if`, 70,000 operators, an #include of a FIFO.
#pragma once

#include "daemon/base/unique_fd.h"

namespace kinglet::daemon {

/// Serves ClangPlan, ClangIndex, ClangHover and Quarantine (wire/messages.h) until the broker
/// closes the socket. It reads files below the first request's root and the system's headers, and
/// where the kernel has Landlock it can read nothing else, write nothing and start nothing. What
/// needs more than a gigabyte ends it.
int run_clang_worker(UniqueFd socket);

}  // namespace kinglet::daemon
