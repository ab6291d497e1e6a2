// libFuzzer's entry to the target named by KINGLET_FUZZ_TARGET. For instance:
//   cmake --preset fuzz && ninja -C build/fuzz gbnf_fuzz
//   build/fuzz/bin/gbnf_fuzz -max_len=65536 -timeout=20 -rss_limit_mb=4096 CORPUS_FOLDER
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/fuzz_target.h"

namespace {

using kinglet::test::Bytes;
using kinglet::test::FuzzTarget;

const FuzzTarget& target() {
  static const FuzzTarget* const kTarget = kinglet::test::find_fuzz_target(KINGLET_FUZZ_TARGET);
  return *kTarget;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): libFuzzer's names
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    target().use(std::as_bytes(std::span(data, size)));
  } catch (const std::exception& broken) {
    std::fprintf(stderr, "%s\n", broken.what());
    std::abort();
  }
  return 0;
}

/// Random bytes die at the first length or bracket. So half of the inputs are old ones spoiled by
/// who knows their layout, and some begin anew with a good one.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t max_size,
                                               unsigned seed) {
  if (seed % 8 > 4) return LLVMFuzzerMutate(data, size, max_size);
  Bytes bytes;
  if (seed % 8 == 0) {
    bytes = target().good(seed / 8);
  } else {
    const auto old = std::as_bytes(std::span(data, size));
    bytes.assign(old.begin(), old.end());
  }
  target().spoil(bytes, seed);
  const std::size_t n = std::min(bytes.size(), max_size);
  if (n > 0) std::memcpy(data, bytes.data(), n);
  return n;
}
// NOLINTEND(readability-identifier-naming)
