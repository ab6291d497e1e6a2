// `kinglet parse-worker`: the process that reads a repository's bytes.
#pragma once

#include "daemon/base/unique_fd.h"

namespace kinglet::daemon {

/// Serves Scan, Parse, HashFiles, ReadFile, ReadHistory and Quarantine (wire/messages.h) until the
/// broker closes the socket.
int run_parse_worker(UniqueFd socket);

}  // namespace kinglet::daemon
