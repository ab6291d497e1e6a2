#include "tests/bench/peer/busy_processes.h"

#include <csignal>
#include <stdexcept>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kinglet::bench {

namespace {

[[noreturn]] void be_busy(const std::string& command) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // What a shell starts ends with its group.
  ::setpgid(0, 0);
  if (command.empty()) {
    for (;;)
      asm volatile("");
  }
  const std::string loop = "while " + command + "; do :; done >/dev/null 2>&1";
  ::execl("/bin/sh", "sh", "-c", loop.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

BusyProcesses::BusyProcesses(std::uint32_t n, const std::string& command) {
  for (std::uint32_t i = 0; i < n; ++i) {
    const pid_t child = ::fork();
    if (child == 0) be_busy(command);
    if (child < 0) throw std::runtime_error("no process for --busy");
    ::setpgid(child, child);
    children_.push_back(child);
  }
}

void BusyProcesses::check() const {
  for (const pid_t child : children_) {
    siginfo_t ended{};
    // It is left for the destructor to collect.
    const int failed =
        ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (failed != 0 || ended.si_pid != 0)
      throw std::runtime_error("what --busy-with names failed; the last rows mean nothing");
  }
}

BusyProcesses::~BusyProcesses() {
  for (const pid_t child : children_) {
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace kinglet::bench
