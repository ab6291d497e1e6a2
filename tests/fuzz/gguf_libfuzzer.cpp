// libFuzzer's entry: cmake --preset fuzz && ninja -C build/fuzz gguf_fuzz
// then: build/fuzz/bin/gguf_fuzz -max_len=100000 -rss_limit_mb=4096 CORPUS_FOLDER
#include <algorithm>
#include <cstring>

#include "tests/fuzz/gguf_fuzz.h"
#include "tests/fuzz/gguf_mutations.h"

namespace {

using kinglet::test::Bytes;
using kinglet::test::GgufWriter;

std::size_t store(const Bytes& bytes, std::uint8_t* out, std::size_t max_size) {
  const std::size_t n = std::min(bytes.size(), max_size);
  if (n > 0) std::memcpy(out, bytes.data(), n);
  return n;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): libFuzzer's names
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kinglet::test::use_gguf(std::as_bytes(std::span(data, size)));
  return 0;
}

/// Random bytes die at the magic, and most others at the first length. So half of the inputs are
/// old ones with spoiled fields, and some begin anew with a good file of some architecture.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t max_size,
                                               unsigned seed) {
  static const std::vector<GgufWriter> kGood = kinglet::test::good_ggufs();
  const auto old = std::as_bytes(std::span(data, size));
  if (seed % 8 == 0) {
    GgufWriter file = kGood[seed / 8 % kGood.size()];
    kinglet::test::spoil_layout(file, seed);
    return store(file.bytes(), data, max_size);
  }
  if (seed % 8 <= 4) {
    if (auto file = kinglet::test::read_layout(old)) {
      kinglet::test::spoil_layout(*file, seed);
      return store(file->bytes(), data, max_size);
    }
  }
  if (seed % 8 <= 5) {
    Bytes bytes(old.begin(), old.end());
    kinglet::test::spoil_bytes(bytes, seed);
    return store(bytes, data, max_size);
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

/// The values of one file with the tensors of another.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1,
                                                 std::size_t size1,
                                                 const std::uint8_t* data2,
                                                 std::size_t size2,
                                                 std::uint8_t* out,
                                                 std::size_t max_out_size,
                                                 unsigned /*seed*/) {
  auto first = kinglet::test::read_layout(std::as_bytes(std::span(data1, size1)));
  auto second = kinglet::test::read_layout(std::as_bytes(std::span(data2, size2)));
  if (!first || !second) return 0;
  first->tensors = std::move(second->tensors);
  return store(first->bytes(), out, max_out_size);
}
// NOLINTEND(readability-identifier-naming)
