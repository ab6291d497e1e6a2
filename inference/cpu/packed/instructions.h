// Products of bytes that Highway's targets do not tell apart: a target's kernels choose among them.
#pragma once

#include <cstdint>

namespace kinglet::inference::cpu {

enum class ByteProducts : std::uint8_t {
  kPairs,  ///< added in 16 bits: every processor of a target has it
  kVnni,   ///< four added in 32 bits: AVX-VNNI (of AVX2's processors), AVX512-VNNI (of AVX-512's)
};

/// The best that the processor has for its widest vectors.
ByteProducts best_byte_products(bool has_wide_vectors);

/// From now on no better ones are used; for tests. Not while another thread multiplies.
void limit_byte_products(ByteProducts most);

}  // namespace kinglet::inference::cpu
