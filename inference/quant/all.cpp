#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <type_traits>

#include "inference/quant/block_format.h"

namespace kinglet::inference {

extern const BlockFormat kF32Format;
extern const BlockFormat kF16Format;
extern const BlockFormat kQ4_0Format;
extern const BlockFormat kQ4_1Format;
extern const BlockFormat kQ5_0Format;
extern const BlockFormat kQ5_1Format;
extern const BlockFormat kQ8_0Format;
extern const BlockFormat kQ4_KFormat;
extern const BlockFormat kQ5_KFormat;
extern const BlockFormat kQ6_KFormat;
extern const BlockFormat kIQ4_NLFormat;
extern const BlockFormat kIQ4_XSFormat;
extern const BlockFormat kBF16Format;

namespace {

constexpr std::array kFormats = {
    &kF32Format,     // f32.cpp
    &kF16Format,     // f16.cpp
    &kQ4_0Format,    // q4_0.cpp
    &kQ4_1Format,    // q4_1.cpp
    &kQ5_0Format,    // q5_0.cpp
    &kQ5_1Format,    // q5_1.cpp
    &kQ8_0Format,    // q8_0.cpp
    &kQ4_KFormat,    // q4_k.cpp
    &kQ5_KFormat,    // q5_k.cpp
    &kQ6_KFormat,    // q6_k.cpp
    &kIQ4_NLFormat,  // iq4_nl.cpp
    &kIQ4_XSFormat,  // iq4_xs.cpp
    &kBF16Format,    // bf16.cpp
};

template <std::size_t n>
using Stride = std::integral_constant<std::size_t, n>;

/// How many of the words, one every `stride` bytes, have all bits of the exponent set.
template <class Size>
std::size_t count_full(BlockFormat::Exponent exponent,
                       std::span<const std::byte> blocks,
                       Size stride) {
  const std::size_t n = blocks.size() / stride;
  const std::byte* from = blocks.data() + exponent.offset;
  std::uint16_t n_full = 0;  // as wide as the words, for vectors; enough for one step
  for (std::size_t i = 0; i < n; ++i) {
    std::uint16_t word = 0;
    std::memcpy(&word, from + i * stride, 2);
    n_full = static_cast<std::uint16_t>(n_full + ((word & exponent.mask) == exponent.mask));
  }
  return n_full;
}

}  // namespace

bool BlockFormat::all_finite(std::span<const std::byte> blocks) const {
  // Few at a time, so that they still are in the cache for the second number of a block.
  const std::size_t step = std::max<std::size_t>(32'768 / block_bytes, 1) * block_bytes;
  for (; !blocks.empty(); blocks = blocks.subspan(std::min(step, blocks.size()))) {
    const auto some = blocks.first(std::min(step, blocks.size()));
    for (const Exponent& exponent : exponents) {
      if (exponent.mask == 0) continue;
      // Formats without blocks have the most numbers; a constant stride lets them be vectors.
      const std::size_t n_bad = block_bytes == 2   ? count_full(exponent, some, Stride<2>{})
                                : block_bytes == 4 ? count_full(exponent, some, Stride<4>{})
                                                   : count_full(exponent, some, block_bytes);
      if (n_bad != 0) return false;
    }
  }
  return true;
}

std::optional<std::uint64_t> BlockFormat::bytes_of(std::uint64_t n_elements) const {
  if (n_elements % block_elements != 0) return std::nullopt;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(n_elements / block_elements, std::uint64_t{block_bytes}, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

std::span<const BlockFormat* const> block_formats() {
  return kFormats;
}

const BlockFormat* find_block_format(std::uint32_t type) {
  for (const BlockFormat* format : kFormats) {
    if (static_cast<std::uint32_t>(format->type) == type) return format;
  }
  return nullptr;
}

const BlockFormat& block_format(TensorType type) {
  const BlockFormat* format = find_block_format(static_cast<std::uint32_t>(type));
  assert(format != nullptr);
  return *format;
}

}  // namespace kinglet::inference
