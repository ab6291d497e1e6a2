// `kinglet engine`: the one process that reads model files and talks to the GPU.
#pragma once

#include "daemon/base/unique_fd.h"
#include "daemon/paths.h"

namespace kinglet::daemon {

/// Serves Load and Generate (wire/messages.h) until the broker closes the socket.
int run_engine_process(UniqueFd socket, const Paths& paths);

}  // namespace kinglet::daemon
