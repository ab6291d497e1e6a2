#include "daemon/processes/spawn.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kinglet::daemon {

namespace {

std::string error_text(int error) {
  return std::generic_category().message(error);
}

/// posix_spawn's two option objects, released at the end of the scope.
struct SpawnSettings {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};

  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

/// Above every number that redirect() overwrites.
UniqueFd open_error_file(const std::string& file) {
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd.is_open()) fd.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kInheritedFd + 1));
}

/// `error_fd` becomes standard error; -1: ours is shared.
void redirect(const SpawnOptions& options, int error_fd, posix_spawn_file_actions_t& actions) {
  // The inherited descriptor first: its number may be one that the next lines overwrite.
  const bool inherits = options.inherited_fd >= 0;
  if (inherits) posix_spawn_file_actions_adddup2(&actions, options.inherited_fd, kInheritedFd);
  if (options.standard_io_fd >= 0) {
    posix_spawn_file_actions_adddup2(&actions, options.standard_io_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, options.standard_io_fd, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  if (error_fd >= 0) posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
  // An editor may leak descriptors into its server; ours must not go on holding them.
  posix_spawn_file_actions_addclosefrom_np(&actions, inherits ? kInheritedFd + 1 : kInheritedFd);
}

void reset_signals(posix_spawnattr_t& attributes, bool own_session) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (own_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
}

}  // namespace

std::string describe_exit(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* name = ::sigdescr_np(signal);
    return "was killed by signal " + std::to_string(signal) + " (" +
           (name != nullptr ? name : "unknown") + ")";
  }
  return "exited with " + std::to_string(WEXITSTATUS(wait_status));
}

Result<Process> Process::spawn(const SpawnOptions& options) {
  SpawnSettings settings;
  UniqueFd error_file;
  if (!options.error_file.empty()) error_file = open_error_file(options.error_file);
  redirect(options, error_file.get(), settings.actions);
  reset_signals(settings.attributes, options.own_session);

  std::vector<std::string> arguments = {"kinglet"};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);

  pid_t pid = -1;
  const int error = ::posix_spawn(
      &pid, options.program.c_str(), &settings.actions, &settings.attributes, argv.data(), environ);
  if (error != 0) {
    return fail(ErrorCode::kUnavailable,
                "Cannot start " + options.program + ": " + error_text(error));
  }
  // Nobody else reaps our children, so the number cannot be another process's yet.
  // glibc 2.36's own header for it does not work in C++.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.is_open()) {
    const int pidfd_error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorCode::kUnsupported,
                "Cannot watch a process (pidfd_open): " + error_text(pidfd_error) +
                    ". Kinglet needs Linux 5.3 or newer.");
  }
  ::fcntl(pidfd.get(), F_SETFD, FD_CLOEXEC);
  return Process(pid, std::move(pidfd));
}

Process::Process(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      status_(other.status_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  if (pid_ > 0) {
    kill();
    wait();
  }
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  status_ = other.status_;
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill();
  wait();
}

void Process::kill() const {
  if (pid_ > 0 && !status_) ::kill(pid_, SIGKILL);
}

int Process::wait() {
  while (!status_) {
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    status_ = ended == pid_ ? status : 0;
  }
  return *status_;
}

std::optional<int> Process::poll() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

void Process::let_go() {
  pid_ = -1;
  pidfd_.reset();
}

Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return fail(ErrorCode::kIo, "Cannot make a pair of sockets: " + error_text(errno));
  }
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

Result<UniqueFd> inherited_socket() {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(kInheritedFd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "Kinglet starts this process by itself; it is of no use alone.");
  }
  ::fcntl(kInheritedFd, F_SETFD, FD_CLOEXEC);
  return UniqueFd(kInheritedFd);
}

void die_with_parent() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace kinglet::daemon
