#include "tests/bench/peer/busy_processes.h"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

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
  if (n == 0 || command.empty()) return;
  // A command that fails leaves an idle machine, and figures of one.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (const pid_t child : children_) {
    if (::waitpid(child, nullptr, WNOHANG) != 0)
      throw std::runtime_error("--busy-with: \"" + command + "\" fails");
  }
}

BusyProcesses::~BusyProcesses() {
  for (const pid_t child : children_) {
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace kinglet::bench
