#include "inference/rotation.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace kinglet::inference {

namespace {

constexpr std::uint32_t kMostPaley = 20;

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

enum class Direction { kForth, kBack };

/// The matrix, or its transpose.
struct Signs {
  constexpr Signs(std::uint32_t order, Direction direction) {
    for (std::uint32_t row = 0; row < order; ++row) {
      for (std::uint32_t column = 0; column < order; ++column) {
        at[row][column] = direction == Direction::kForth ? paley_sign(order, row, column)
                                                         : paley_sign(order, column, row);
      }
    }
  }
  float at[kMostPaley][kMostPaley] = {};
};
constexpr Signs kSigns12[] = {{12, Direction::kForth}, {12, Direction::kBack}};
constexpr Signs kSigns20[] = {{20, Direction::kForth}, {20, Direction::kBack}};

// Columns of Paley's matrix that are turned together: inner loops of so many become vectors.
constexpr std::uint32_t kColumns = 8;

/// Multiplies `order` rows of n_columns, `step` apart, by Paley's matrix.
void turn_columns(float* rows,
                  std::uint32_t order,
                  std::size_t step,
                  std::uint32_t n_columns,
                  const Signs& signs) {
  float in[kMostPaley][kColumns] = {};
  for (std::uint32_t i = 0; i < order; ++i)
    std::copy_n(rows + i * step, n_columns, in[i]);
  for (std::uint32_t i = 0; i < order; ++i) {
    float sums[kColumns] = {};
    for (std::uint32_t j = 0; j < order; ++j) {
      for (std::uint32_t at = 0; at < kColumns; ++at)
        sums[at] += signs.at[i][j] * in[j][at];
    }
    std::copy_n(sums, n_columns, rows + i * step);
  }
}

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
  if (rotation.paley > 1) {
    const Signs& signs =
        (rotation.paley == 12 ? kSigns12 : kSigns20)[direction == Direction::kBack];
    const std::uint32_t step = rotation.sylvester;
    for (std::uint32_t at = 0; at < step; at += kColumns)
      turn_columns(part + at, rotation.paley, step, std::min(kColumns, step - at), signs);
  }
  const float scale = 1 / std::sqrt(static_cast<float>(n));
  for (std::uint32_t i = 0; i < n; ++i)
    part[i] *= scale;
}

void turn(std::span<float> vector, Direction direction) {
  const Rotation rotation = rotation_of(static_cast<std::uint32_t>(vector.size()));
  for (std::size_t at = 0; at < vector.size(); at += rotation.part()) {
    turn_part(vector.data() + at, rotation, direction);
  }
}

}  // namespace

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
