#include "tests/bench/peer/busy_processes.h"

#include <csignal>
#include <stdexcept>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kinglet::bench {

namespace {

[[noreturn]] void be_busy() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    asm volatile("");
}

}  // namespace

BusyProcesses::BusyProcesses(std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) {
    const pid_t child = ::fork();
    if (child == 0) be_busy();
    if (child < 0) throw std::runtime_error("no process for --busy");
    children_.push_back(child);
  }
}

BusyProcesses::~BusyProcesses() {
  for (const pid_t child : children_) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace kinglet::bench
