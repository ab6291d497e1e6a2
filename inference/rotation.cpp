#include "inference/rotation.h"

#include <bit>
#include <cmath>
#include <cstddef>

namespace kinglet::inference {

namespace {

// Bit i: i is a square modulo the prime. Paley's matrix of order prime + 1 exists for primes that
// leave 3 when divided by 4.
constexpr std::uint32_t kSquaresModulo11 = 0x23a;    // 1 3 4 5 9
constexpr std::uint32_t kSquaresModulo19 = 0x30af2;  // 1 4 5 6 7 9 11 16 17

/// Entry (row, column) of the matrix of order 12 or 20. vulkan/kernels/rotation.glsl has the same.
constexpr float paley_sign(std::uint32_t order, std::uint32_t row, std::uint32_t column) {
  if (row == column || row == 0) return 1;
  if (column == 0) return -1;
  const std::uint32_t prime = order - 1;
  const std::uint32_t squares = order == 12 ? kSquaresModulo11 : kSquaresModulo19;
  return (squares >> ((row + prime - column) % prime) & 1U) != 0 ? 1 : -1;
}

struct Matrix {
  constexpr Matrix(std::uint32_t order, Direction direction) {
    for (std::uint32_t row = 0; row < order; ++row) {
      for (std::uint32_t column = 0; column < order; ++column) {
        signs[row][column] = direction == Direction::kForth ? paley_sign(order, row, column)
                                                            : paley_sign(order, column, row);
      }
    }
  }
  PaleySigns signs = {};
};
constexpr Matrix kPaley12[] = {{12, Direction::kForth}, {12, Direction::kBack}};
constexpr Matrix kPaley20[] = {{20, Direction::kForth}, {20, Direction::kBack}};

void turn_part(float* part, Rotation rotation, Direction direction) {
  const std::uint32_t n = rotation.part();
  for (std::uint32_t half = 1; half < rotation.sylvester; half *= 2) {
    for (std::uint32_t i = 0; i < n; i += 2 * half) {
      for (std::uint32_t j = i; j < i + half; ++j) {
        const float a = part[j];
        const float b = part[j + half];
        part[j] = a + b;
        part[j + half] = a - b;
      }
    }
  }
  const float scale = 1 / std::sqrt(static_cast<float>(n));
  if (rotation.paley == 1) {
    for (std::uint32_t i = 0; i < n; ++i)
      part[i] *= scale;
    return;
  }
  const PaleySigns& signs = paley_signs(rotation.paley, direction);
  const std::uint32_t step = rotation.sylvester;
  for (std::uint32_t at = 0; at < step; ++at) {
    float column[kMostPaley];
    for (std::uint32_t i = 0; i < rotation.paley; ++i)
      column[i] = part[at + i * step];
    for (std::uint32_t i = 0; i < rotation.paley; ++i) {
      float sum = 0;
      for (std::uint32_t j = 0; j < rotation.paley; ++j)
        sum += column[j] * signs[i][j];
      part[at + i * step] = scale * sum;
    }
  }
}

void turn(std::span<float> vector, Direction direction) {
  const Rotation rotation = rotation_of(static_cast<std::uint32_t>(vector.size()));
  for (std::size_t at = 0; at < vector.size(); at += rotation.part()) {
    turn_part(vector.data() + at, rotation, direction);
  }
}

}  // namespace

const PaleySigns& paley_signs(std::uint32_t order, Direction direction) {
  const bool is_back = direction == Direction::kBack;
  return (order == 12 ? kPaley12 : kPaley20)[is_back ? 1 : 0].signs;
}

Rotation rotation_of(std::uint32_t length) {
  if (length == 0) return {};
  for (const std::uint32_t paley : {1U, 12U, 20U}) {
    if (length % paley == 0 && std::has_single_bit(length / paley)) return {paley, length / paley};
  }
  return {1, length & (~length + 1)};
}

void rotate(std::span<float> vector) {
  turn(vector, Direction::kForth);
}

void unrotate(std::span<float> vector) {
  turn(vector, Direction::kBack);
}

}  // namespace kinglet::inference
