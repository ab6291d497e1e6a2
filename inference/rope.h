// Cosines and sines of rotary position embedding, computed on the host in float64: in f32 the angle
// alone is 5e-3 rad off at position 131,071. Both backends read this table.
//
// However a model's context was stretched, what is left of it is a factor for each pair and one for
// the whole:
//   linear     all factors are s, so that position s * p is turned as p was
//   YaRN       1 for pairs that turn more than beta_fast times within the original context, s for
//              those that turn less than beta_slow times, between them a linear mix of the
//              frequencies; cos and sin times 1 + 0.1 ln s
//   Llama 3    factors of the file, rope_freqs.weight
//   LongRoPE   two sets of factors of the file, by the length of the sequence
// All but the last hold for every sequence, short ones, too.
//
// Su et al., RoFormer (2021); Peng et al., YaRN (2023); Ding et al., LongRoPE (2024).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kinglet::inference {

struct HyperParameters;

/// Which per-dimension factors divide the frequencies. Fixed for a sequence's life by the longest
/// it may grow, prompt and output together, because keys already in the cache were turned by it.
/// The cache of a sequence is never used for one of the other set: its prefix is computed again.
/// Models without two sets: kShort.
enum class RopeFactorSet : std::uint8_t { kShort, kLong };

struct RopeSpec {
  std::uint32_t n_pairs = 0;  ///< rope_dims / 2
  double freq_base = 10000.0;
  double attention_factor = 1.0;     ///< multiplies cos and sin
  std::vector<double> factors = {};  ///< (n_pairs), or empty: all 1
};

/// `file_factors` is (rope_dims / 2), or empty: those of the factor set, which the scaling adds to.
RopeSpec rope_spec_of(const HyperParameters& hyper_parameters, std::span<const float> file_factors);

/// (n_positions, n_pairs, 2): cos and sin of position * freq_base^(-pair / n_pairs) / factor, times
/// the attention factor, for positions from `first` on.
std::vector<float> rope_table(const RopeSpec& spec, std::uint32_t first, std::uint32_t n_positions);

}  // namespace kinglet::inference
