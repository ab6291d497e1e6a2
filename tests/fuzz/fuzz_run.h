// Seeded runs of fuzz targets, for the tests.
#pragma once

#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz_target.h"

namespace kinglet::test {

struct FuzzFigures {
  std::uint64_t n_inputs = 0;
  std::uint64_t n_accepted = 0;
  double worst_seconds = 0;          ///< of processor time, for one input
  std::uint64_t worst_seed = 0;      ///< of that input
  std::uint64_t worst_bytes = 0;     ///< of memory, held at once beyond what was held before
  std::uint64_t n_beyond_bytes = 0;  ///< inputs that took more than their target allows
  std::string trouble;               ///< broken promises, by seed

  void add(const FuzzFigures& other);
};

/// The inputs of the seeds from `first` on.
FuzzFigures run_fuzz_seeds(const FuzzTarget& target, std::uint64_t first, std::uint64_t n);
/// One input.
FuzzFigures run_fuzz_input(const FuzzTarget& target, std::span<const std::byte> bytes);

}  // namespace kinglet::test
