// Processes beside an engine that want the processors, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace kinglet::bench {

class BusyProcesses {
 public:
  /// Each runs `command`, a line of the shell's, over and over; an empty one only counts. They end
  /// with this object, or with this process. Throws std::runtime_error.
  BusyProcesses(std::uint32_t n, const std::string& command);
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;
  ~BusyProcesses();

 private:
  std::vector<pid_t> children_;
};

}  // namespace kinglet::bench
