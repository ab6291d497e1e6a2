#include "daemon/process_memory.h"

#include <fstream>
#include <string>

#include <unistd.h>

namespace kinglet::daemon {

ProcessMemory memory_of(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t size = 0;
  ProcessMemory pages;
  if (!(statm >> size >> pages.resident >> pages.of_files)) return {};
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {.resident = pages.resident * page, .of_files = pages.of_files * page};
}

}  // namespace kinglet::daemon
