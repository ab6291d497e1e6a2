// What a process holds in memory, as the kernel counts it.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace kinglet::test {

struct MemoryUse {
  std::uint64_t resident = 0;   ///< bytes; mapped files as far as they were read
  std::uint64_t anonymous = 0;  ///< bytes that are private to the process and in no file

  static MemoryUse now() {
    std::ifstream file("/proc/self/smaps_rollup");
    MemoryUse use;
    int n_found = 0;
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name;
      std::uint64_t kibibytes = 0;
      words >> name >> kibibytes;
      if (name == "Rss:") use.resident = kibibytes << 10, ++n_found;
      if (name == "Anonymous:") use.anonymous = kibibytes << 10, ++n_found;
    }
    if (n_found != 2) throw std::runtime_error("/proc/self/smaps_rollup cannot be read");
    return use;
  }

  /// The most that was resident since forget_peak().
  static std::uint64_t peak() {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string name;
      std::uint64_t kibibytes = 0;
      words >> name >> kibibytes;
      if (name == "VmHWM:") return kibibytes << 10;
    }
    throw std::runtime_error("/proc/self/status cannot be read");
  }
  static void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5\n"; }
};

}  // namespace kinglet::test
