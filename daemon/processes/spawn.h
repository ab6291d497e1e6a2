// Starting processes of our own program. Never a bare fork: a copy of Asio's reactor, of threads or
// of a Vulkan driver does not work. posix_spawn of /proc/self/exe, which is this very program even
// when an installation has replaced the file meanwhile.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace kinglet::daemon {

/// Where a started process finds the socket (or pipe) it was given.
inline constexpr int kInheritedFd = 3;

struct SpawnOptions {
  std::string program = "/proc/self/exe";
  std::vector<std::string> arguments;  // without the program's name
  int inherited_fd = -1;               // becomes kInheritedFd; -1: none
  int standard_io_fd = -1;             // becomes standard input and output; -1: /dev/null
  /// Standard error is appended to it, or goes nowhere when it cannot be opened: a log decides over
  /// no start. Empty: ours is shared.
  std::string error_file = {};
  bool own_session = false;  // setsid: outlives the terminal and the parent
};

/// How a process ended, for people: "exited with 1", "was killed by signal 9 (Killed)".
std::string describe_exit(int wait_status);

/// A child process. Watched through a pidfd, so no signal handler and no race about its number.
/// Used from one thread. The destructor kills and reaps, unless the process was let go.
class Process {
 public:
  /// Starts it. It inherits standard error, inherited_fd and nothing else: every other descriptor
  /// is closed, signal handling is the default.
  static Result<Process> spawn(const SpawnOptions& options);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  /// Readable once the process has ended; for poll() or Asio. Owned by this object.
  int pidfd() const { return pidfd_.get(); }
  void kill() const;
  /// Waits until it has ended; its wait status.
  int wait();
  /// The wait status if it has ended already.
  std::optional<int> poll();
  /// Leaves the process running after this object.
  void let_go();

 private:
  Process(pid_t pid, UniqueFd pidfd);

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<int> status_;
};

/// A connected pair of stream sockets, both close-on-exec.
Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair();

/// The socket a worker was started with. Errors: kInvalidArgument when there is none, because a
/// person started it.
Result<UniqueFd> inherited_socket();

/// For a worker's first lines: it is to die with the process that started it, even when it is
/// stopped or hangs.
void die_with_parent();

}  // namespace kinglet::daemon
