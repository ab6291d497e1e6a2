#include "inference/rope.h"

#include <cmath>
#include <cstddef>

namespace kinglet::inference {

std::vector<float> rope_table(const RopeSpec& spec,
                              std::uint32_t first,
                              std::uint32_t n_positions) {
  std::vector<double> frequencies(spec.n_pairs);
  for (std::uint32_t pair = 0; pair < spec.n_pairs; ++pair) {
    const double factor = spec.factors.empty() ? 1.0 : double{spec.factors[pair]};
    frequencies[pair] = std::pow(spec.freq_base, -double(pair) / spec.n_pairs) / factor;
  }
  std::vector<float> table;
  table.reserve(std::size_t{n_positions} * spec.n_pairs * 2);
  for (std::uint32_t position = first; position < first + n_positions; ++position) {
    for (const double frequency : frequencies) {
      const double angle = position * frequency;
      table.push_back(static_cast<float>(std::cos(angle) * spec.attention_factor));
      table.push_back(static_cast<float>(std::sin(angle) * spec.attention_factor));
    }
  }
  return table;
}

}  // namespace kinglet::inference
