// What parsers of hostile bytes are fuzzed with: one row for each in all_targets.cpp, shared by
// libFuzzer's entry (preset fuzz), by the seeded smoke test and by the long test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/inference/gguf_writer.h"

namespace kinglet::test {

struct FuzzTarget {
  std::string_view name;
  /// Reads the bytes and uses what was accepted. True when they were accepted. Throws BrokenPromise
  /// when what was accepted, or the error of what was refused, is not as promised.
  bool (*use)(std::span<const std::byte> bytes);
  /// An input that is accepted, of many kinds; the same for the same seed.
  Bytes (*good)(std::uint64_t seed);
  /// Damages an input, knowing its layout where it has one. `seed` decides how.
  void (*spoil)(Bytes& bytes, std::uint64_t seed);
  /// Use of one input may take this much memory at once, beside `bytes_per_byte` for each of its
  /// own.
  std::size_t most_bytes;
  std::size_t bytes_per_byte;
};

std::span<const FuzzTarget* const> all_fuzz_targets();
/// nullptr when there is none of that name.
const FuzzTarget* find_fuzz_target(std::string_view name);

/// A good input of a target, spoiled (seven times in eight) as the seed says.
Bytes fuzz_input(const FuzzTarget& target, std::uint64_t seed);

struct BrokenPromise : std::logic_error {
  using std::logic_error::logic_error;
};
/// Throws BrokenPromise unless `promise` holds; `what` names it.
inline void require(bool promise, const std::string& what) {
  if (!promise) throw BrokenPromise(what);
}

}  // namespace kinglet::test
