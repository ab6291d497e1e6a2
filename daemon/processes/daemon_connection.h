// A client's way to the daemon: find it, or start it.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/paths.h"
#include "daemon/processes/handshake.h"

namespace kinglet::daemon {

/// A greeted daemon.
struct DaemonConnection {
  UniqueFd socket;
  Welcome welcome;
  pid_t pid = -1;  // the kernel's word, not the daemon's
};

/// Connects and greets; blocks, for a few seconds at most.
/// Errors: kUnavailable when no daemon runs; kIo when the socket cannot be reached; kTimeout when
/// the daemon does not answer; kInvalidArgument when the socket belongs to another user;
/// kUnsupported when it speaks another protocol.
Result<DaemonConnection> connect_to_daemon(const Paths& paths, const Hello& hello);

/// The same, and starts a daemon when there is none, or when there is one older than this program
/// (which is asked to finish first). `arguments` are those of `kinglet daemon`.
/// Errors: as above; kUnavailable when a daemon does not start, with the place of its log; kTimeout
/// when one holds the daemon's lock for ten seconds without listening.
Result<DaemonConnection> connect_or_start_daemon(const Paths& paths,
                                                 const Hello& hello,
                                                 const std::vector<std::string>& arguments);

/// Asks a running daemon to finish and waits until it has. False: none was running.
/// Errors: kTimeout when it still runs after ten seconds.
Result<bool> stop_daemon(const Paths& paths);

/// Reads until the other end closes. Errors: kIo.
Result<std::string> read_to_end(const UniqueFd& socket);

}  // namespace kinglet::daemon
