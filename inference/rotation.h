// An orthogonal turn of a head's vector that spreads each number over all: what quantizes badly,
// because one number is far greater than its neighbors, becomes many of a size. Queries and keys
// turned alike have the same scores; values are turned back after their sum (Ashkboos et al.,
// QuaRot, 2024).
//
// The turn is a Hadamard matrix, entries all +1 or -1, over the square root of its order. Of order
// 2^k it is Sylvester's; of 12 * 2^k (heads of 96) and 20 * 2^k (heads of 80) Paley's of 12 or 20
// times that. Head sizes that are none of these are turned in parts of the greatest power of two
// that divides them.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace kinglet::inference {

/// How a vector of some length is turned: in parts of `paley` * `sylvester` elements.
struct Rotation {
  std::uint32_t paley = 1;      // 1, 12 or 20
  std::uint32_t sylvester = 1;  // a power of two
  std::uint32_t part() const { return paley * sylvester; }
};
Rotation rotation_of(std::uint32_t length);

enum class Direction { kForth, kBack };

/// Paley's matrix of order 12 or 20, or its transpose: +1 or -1 at [row][column].
inline constexpr std::uint32_t kMostPaley = 20;
using PaleySigns = std::array<std::array<float, kMostPaley>, kMostPaley>;
const PaleySigns& paley_signs(std::uint32_t order, Direction direction);

/// Turns the vector, in place.
void rotate(std::span<float> vector);
/// Turns it back: the inverse.
void unrotate(std::span<float> vector);

}  // namespace kinglet::inference
