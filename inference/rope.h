// Cosines and sines of rotary position embedding, computed on the host in float64: in f32 the angle
// alone is 5e-3 rad off at position 131,071. Both backends read this table.
//
// Su et al., RoFormer (2021); long and short factors: Ding et al., LongRoPE (2024).
#pragma once

#include <cstdint>
#include <vector>

namespace kinglet::inference {

/// Which per-dimension factors divide the frequencies. Fixed for a sequence's life by the longest
/// it may grow, because keys already in the cache were turned by it. Models without factors:
/// kShort.
enum class RopeFactorSet : std::uint8_t { kShort, kLong };

struct RopeSpec {
  std::uint32_t n_pairs = 0;  ///< rope_dims / 2
  double freq_base = 10000.0;
  double attention_factor = 1.0;    ///< multiplies cos and sin
  std::vector<float> factors = {};  ///< (n_pairs), or empty: all 1
};

/// (n_positions, n_pairs, 2): cos and sin of position * freq_base^(-pair / n_pairs) / factor, times
/// the attention factor, for positions from `first` on.
std::vector<float> rope_table(const RopeSpec& spec, std::uint32_t first, std::uint32_t n_positions);

}  // namespace kinglet::inference
