// What activations of 8 bits stand for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "inference/cpu/byte_activations.h"

namespace kinglet::test {

/// The first n numbers of a row.
inline std::vector<double> rounded(const inference::cpu::ByteActivations& x,
                                   std::uint32_t row,
                                   std::size_t n) {
  using inference::cpu::ByteColumns;
  std::vector<double> numbers;
  for (std::size_t i = 0; i < n; ++i) {
    const ByteColumns& columns = x.columns(row)[i / ByteColumns::kColumns];
    const std::size_t at = i % ByteColumns::kColumns;
    numbers.push_back(double{columns.scales[at / inference::cpu::kByteBlock]} * columns.quants[at]);
  }
  return numbers;
}

}  // namespace kinglet::test
