#include "tests/fuzz/fuzz_run.h"

#include <algorithm>
#include <ctime>

#include "tests/fuzz/memory_meter.h"

namespace kinglet::test {

void FuzzFigures::add(const FuzzFigures& other) {
  n_inputs += other.n_inputs;
  n_accepted += other.n_accepted;
  if (other.worst_seconds > worst_seconds) {
    worst_seconds = other.worst_seconds;
    worst_seed = other.worst_seed;
  }
  worst_bytes = std::max(worst_bytes, other.worst_bytes);
  n_beyond_bytes += other.n_beyond_bytes;
  trouble += other.trouble;
}

FuzzFigures run_fuzz_input(const FuzzTarget& target, std::span<const std::byte> bytes) {
  FuzzFigures figures;
  figures.n_inputs = 1;
  const MemoryMeter memory;
  const std::clock_t start = std::clock();
  try {
    figures.n_accepted = target.use(bytes) ? 1 : 0;
  } catch (const std::exception& broken) {
    // Nothing that hostile bytes can do throws: an exception is as bad as a broken promise.
    figures.trouble = broken.what();
  }
  figures.worst_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  figures.worst_bytes = memory.peak();
  figures.n_beyond_bytes =
      figures.worst_bytes > target.most_bytes + target.bytes_per_byte * bytes.size() ? 1 : 0;
  return figures;
}

FuzzFigures run_fuzz_seeds(const FuzzTarget& target, std::uint64_t first, std::uint64_t n) {
  FuzzFigures all;
  for (std::uint64_t seed = first; seed < first + n; ++seed) {
    // A copy of exactly that size: a sanitizer sees each byte read beyond it.
    Bytes bytes = fuzz_input(target, seed);
    bytes.shrink_to_fit();
    FuzzFigures one = run_fuzz_input(target, bytes);
    one.worst_seed = seed;
    if (!one.trouble.empty()) {
      one.trouble =
          std::string(target.name) + ", seed " + std::to_string(seed) + ": " + one.trouble + "\n";
    }
    all.add(one);
  }
  return all;
}

}  // namespace kinglet::test
