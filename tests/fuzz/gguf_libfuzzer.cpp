// libFuzzer's entry: cmake --preset fuzz && ninja -C build/fuzz gguf_fuzz
#include <algorithm>
#include <cstring>

#include "tests/fuzz/gguf_fuzz.h"

// NOLINTBEGIN(readability-identifier-naming): libFuzzer's names
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kinglet::test::use_gguf(std::as_bytes(std::span(data, size)));
  return 0;
}

/// Most random bytes die at the magic; so every fourth input is a good file with spoiled fields.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t max_size,
                                               unsigned seed) {
  if (seed % 4 >= 2) return LLVMFuzzerMutate(data, size, max_size);
  kinglet::test::Bytes bytes;
  if (seed % 4 == 0) {
    bytes = kinglet::test::spoiled_gguf(seed);
  } else {
    const auto old = std::as_bytes(std::span(data, size));
    bytes.assign(old.begin(), old.end());
    kinglet::test::spoil_bytes(bytes, seed);
  }
  const std::size_t n = std::min(bytes.size(), max_size);
  if (n > 0) std::memcpy(data, bytes.data(), n);
  return n;
}
// NOLINTEND(readability-identifier-naming)
