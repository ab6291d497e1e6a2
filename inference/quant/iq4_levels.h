// What IQ4_NL and IQ4_XS share: a quant of 4 bits is one of 16 levels, close together near zero,
// where most weights are. The levels are part of the file format.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace kinglet::inference {

inline constexpr std::array<std::int8_t, 16> kIq4Levels = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// The level nearest to x, as its index.
inline int nearest_iq4_level(float x) {
  const auto above = std::lower_bound(kIq4Levels.begin(), kIq4Levels.end(), x);
  const auto index = static_cast<int>(above - kIq4Levels.begin());
  if (index == 0) return 0;
  if (index == 16) return 15;
  return x - static_cast<float>(*(above - 1)) < static_cast<float>(*above) - x ? index - 1 : index;
}

}  // namespace kinglet::inference
