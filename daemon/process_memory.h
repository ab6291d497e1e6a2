// What a process takes, by the system's own account.
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace kinglet::daemon {

struct ProcessMemory {
  std::uint64_t resident = 0;  // bytes; pages that it shares with others count in full
  std::uint64_t of_files = 0;  // of these: what the system can take back and read again
};

/// Zeros when the process is gone.
ProcessMemory memory_of(pid_t pid);

}  // namespace kinglet::daemon
