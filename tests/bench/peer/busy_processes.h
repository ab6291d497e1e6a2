// Processes that do nothing, busily: what a compiler is to an engine.
#pragma once

#include <cstdint>
#include <vector>

#include <sys/types.h>

namespace kinglet::bench {

class BusyProcesses {
 public:
  /// They end with this object, or with this process. Throws std::runtime_error.
  explicit BusyProcesses(std::uint32_t n);
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;
  ~BusyProcesses();

 private:
  std::vector<pid_t> children_;
};

}  // namespace kinglet::bench
