// Which of the machine's processors threads that compute should run on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace kinglet::inference::cpu {

struct Processors {
  /// Logical processors of the fast kind that this process may use, sorted. At least one.
  std::vector<std::uint32_t> fast;
  /// Of how many cores they are: as many threads compute as fast as the machine can.
  std::uint32_t n_fast_cores = 1;
  /// Whether the machine has slower ones, too, so that threads have to be kept on the fast ones.
  bool has_slow = false;
};

/// What the system says of `allowed` (numbers of logical processors): Intel's kinds of cores, else
/// capacities (Arm), else highest frequencies; which of them share a core. Where it says nothing,
/// each is a core of the fast kind. `root` is /sys/devices.
Processors read_processors(const std::filesystem::path& root, std::vector<std::uint32_t> allowed);

/// Those that this process may use.
Processors find_processors();

/// Where so many threads should be kept: on the fast ones where there are slow ones, too, and the
/// fast ones are enough; else empty, anywhere.
std::vector<std::uint32_t> place_threads(const Processors& processors, std::uint32_t n_threads);

}  // namespace kinglet::inference::cpu
