#include "daemon/processes/daemon_connection.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/processes/spawn.h"
#include "daemon/version.h"

namespace kinglet::daemon {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kAnswerTime{10};
/// Between two looks at a lock.
constexpr std::chrono::milliseconds kPause{20};

std::string errno_text() {
  return std::generic_category().message(errno);
}

/// Waits until `fd` is readable; false when it is not in time.
bool wait_readable(int fd, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    const int n = ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (n < 0 && errno == EINTR) continue;
    return n > 0;
  }
}

Result<UniqueFd> connect_socket(const Paths& paths) {
  const std::string path = paths.socket().string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::kInvalidArgument,
                "The socket's path " + path + " is longer than the " +
                    std::to_string(sizeof address.sun_path - 1) +
                    " bytes Linux allows. Set XDG_RUNTIME_DIR to a shorter folder.");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return fail(ErrorCode::kIo, "Cannot make a socket: " + errno_text());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return fail(ErrorCode::kUnavailable, "No daemon is running.");
    }
    return fail(ErrorCode::kIo,
                "Cannot connect to " + path + ": " + errno_text() +
                    ". Check the folder, or set XDG_RUNTIME_DIR to one of your own.");
  }
  return socket;
}

/// Reads the daemon's line byte by byte, so that nothing behind it is taken from the socket.
Result<std::string> read_line(const UniqueFd& socket) {
  const auto until = Clock::now() + kAnswerTime;
  std::string line;
  while (line.size() < kMaxHelloBytes) {
    if (!wait_readable(socket.get(), until)) {
      return fail(ErrorCode::kTimeout, "The daemon does not answer.");
    }
    char c = 0;
    const ssize_t n = ::recv(socket.get(), &c, 1, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(ErrorCode::kUnavailable, "The daemon is finishing.");
    if (c == '\n') return line;
    line += c;
  }
  return fail(ErrorCode::kCorrupt, "The other end of the socket is not Kinglet.");
}

Result<ucred> check_peer(const UniqueFd& socket, const Paths& paths) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return fail(ErrorCode::kIo, "Cannot ask who owns the socket: " + errno_text());
  }
  if (peer.uid != ::geteuid()) {
    return fail(ErrorCode::kInvalidArgument,
                "The socket " + paths.socket().string() + " is served by user " +
                    std::to_string(peer.uid) +
                    ", not by you. Set XDG_RUNTIME_DIR to a folder of "
                    "your own.");
  }
  return peer;
}

/// Holds a lock file's lock until the end of the scope; waits for it.
class FileLock {
 public:
  static Result<FileLock> take(const std::filesystem::path& file) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.is_open()) {
      return fail(ErrorCode::kIo, "Cannot open " + file.string() + ": " + errno_text());
    }
    while (::flock(fd.get(), LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      return fail(ErrorCode::kIo, "Cannot lock " + file.string() + ": " + errno_text());
    }
    return FileLock(std::move(fd));
  }

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// The process that holds the daemon's lock, by what it wrote there (0: nothing yet); std::nullopt
/// when nobody holds it.
std::optional<pid_t> lock_holder(const Paths& paths) {
  const UniqueFd fd(::open(paths.daemon_lock().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_open() || ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd.get(), text.data(), text.size(), 0);
  pid_t pid = 0;
  if (n > 0) std::from_chars(text.data(), text.data() + n, pid);
  return pid;
}

/// For a daemon that does nothing any more.
tl::unexpected<Error> unresponsive(pid_t pid, const std::string& what) {
  const std::string number = std::to_string(pid);
  return fail(ErrorCode::kTimeout,
              "The daemon (process " + number + ") " + what +
                  ". `kinglet logs daemon` may say why; `kill -9 " + number + "` ends it.");
}

/// Starts a daemon of its own session and waits until it listens.
Result<void> start_daemon(const Paths& paths, const std::vector<std::string>& arguments) {
  // A daemon that this process started before is dead by now; nobody else reaps it.
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::kIo, "Cannot make a pipe: " + errno_text());
  }
  const UniqueFd ready(ends[0]);
  UniqueFd theirs(ends[1]);
  SpawnOptions options;
  options.arguments = {"daemon", "--announce"};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  options.inherited_fd = theirs.get();
  options.error_file = paths.log_file("stderr").string();
  options.own_session = true;
  auto daemon = TRY(Process::spawn(options));
  theirs.reset();
  char byte = 0;
  const bool in_time = wait_readable(ready.get(), Clock::now() + kAnswerTime);
  if (in_time && ::read(ready.get(), &byte, 1) == 1) {
    daemon.let_go();
    return {};
  }
  return fail(ErrorCode::kUnavailable,
              std::string("The daemon ") + (in_time ? "did not start" : "does not answer") +
                  ". `kinglet logs` and `kinglet doctor` may say why.");
}

}  // namespace

Result<DaemonConnection> connect_to_daemon(const Paths& paths, const Hello& hello) {
  DaemonConnection connection;
  connection.socket = TRY(connect_socket(paths));
  connection.pid = TRY(check_peer(connection.socket, paths)).pid;
  const std::string line = write_hello(hello);
  if (::send(connection.socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return fail(ErrorCode::kUnavailable, "The daemon is finishing.");
  }
  const auto answer = read_line(connection.socket);
  if (!answer && answer.error().code == ErrorCode::kTimeout) {
    return unresponsive(connection.pid, "does not answer");
  }
  if (!answer) return tl::unexpected(answer.error());
  connection.welcome = TRY(read_welcome(*answer));
  if (connection.welcome.protocol != hello.protocol &&
      !is_newer(hello.version, connection.welcome.version)) {
    return fail(ErrorCode::kUnsupported,
                "The running daemon is Kinglet " + connection.welcome.version +
                    ", newer than this program (" + hello.version +
                    "). Restart the editor, so that it runs the installed one.");
  }
  return connection;
}

Result<DaemonConnection> connect_or_start_daemon(const Paths& paths,
                                                 const Hello& hello,
                                                 const std::vector<std::string>& arguments) {
  const auto lock = TRY(FileLock::take(paths.start_lock()));
  // A daemon may finish (idle) just as we come, or be started by hand: another round sorts it out.
  constexpr int kMaxStarts = 3;
  const auto until = Clock::now() + kAnswerTime;
  Result<void> started;
  for (int n_starts = 0;;) {
    auto connection = connect_to_daemon(paths, hello);
    const bool is_old = connection && is_newer(hello.version, connection->welcome.version);
    if (connection && !is_old) return connection;
    if (!is_old && connection.error().code != ErrorCode::kUnavailable) return connection;
    // While one that no longer listens finishes, or one does not listen yet, another is refused.
    const auto holder = is_old ? std::nullopt : lock_holder(paths);
    if (holder && Clock::now() < until) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (holder && *holder > 0) return unresponsive(*holder, "neither serves nor ends");
    if (n_starts++ == kMaxStarts) {
      if (!started) return tl::unexpected(started.error());
      return fail(ErrorCode::kUnavailable,
                  "Daemons end as soon as they start. `kinglet logs` may say why.");
    }
    if (is_old) {
      connection = {};
      TRY(stop_daemon(paths));
    }
    started = start_daemon(paths, arguments);
  }
}

Result<bool> stop_daemon(const Paths& paths) {
  auto connection = connect_to_daemon(paths, {.version = kVersion, .purpose = Purpose::kStop});
  if (!connection && connection.error().code == ErrorCode::kUnavailable) return false;
  if (!connection) return tl::unexpected(connection.error());
  // The daemon closes the connection last of all; then it only has to let go of its lock.
  const auto until = Clock::now() + kAnswerTime;
  bool has_ended = wait_readable(connection->socket.get(), until);
  // An editor that wants a completion may have started the next daemon, which holds the lock then.
  while (has_ended && lock_holder(paths) == connection->pid) {
    if (Clock::now() > until) has_ended = false;
    std::this_thread::sleep_for(kPause);
  }
  if (!has_ended) return unresponsive(connection->pid, "does not finish");
  return true;
}

Result<std::string> read_to_end(const UniqueFd& socket) {
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kIo, "Cannot read from the daemon: " + errno_text());
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace kinglet::daemon
