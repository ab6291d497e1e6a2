// Processes beside an engine that want the processors, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace kinglet::bench {

class BusyProcesses {
 public:
  /// Each runs `command`, a line of the shell's, over and over until it fails; an empty one only
  /// counts. They end with this object. If this process is killed, they end with the command that
  /// runs then. Throws std::runtime_error.
  BusyProcesses(std::uint32_t n, const std::string& command);
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;
  ~BusyProcesses();

  /// Throws std::runtime_error if a command failed: what was measured since had an idle machine.
  void check() const;

 private:
  std::vector<pid_t> children_;
};

}  // namespace kinglet::bench
