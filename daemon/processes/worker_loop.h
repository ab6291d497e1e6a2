// What every worker process does: one thread answers messages, another computes.
#pragma once

#include <functional>
#include <stop_token>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/wire/channel.h"

namespace kinglet::daemon {

/// Computes one request, on the computing thread, and sends its answers, the final one included. An
/// error that is returned instead (or thrown) becomes the final answer, Failed.
using WorkerHandler = std::function<Result<void>(
    const wire::Frame& request, const std::stop_token& stop, wire::Channel& answers)>;

/// Serves the broker at the other end of `socket` until it closes; then the process ends at once,
/// whatever is being computed. Requests are computed in the order they came. Cancel triggers the
/// stop token of its request, waiting or running; GetStatus is answered at once.
/// Returns the process's exit code when the socket breaks.
int run_worker(UniqueFd socket, const WorkerHandler& handler);

}  // namespace kinglet::daemon
