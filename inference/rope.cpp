#include "inference/rope.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

#include "inference/models/architecture.h"

namespace kinglet::inference {

namespace {

/// The pair (a fraction of one) that turns `n_turns` times within the original context.
double pair_that_turns(double n_turns, const HyperParameters& h) {
  const double context = h.rope_original_context;
  return h.rope_dims * std::log(context / (n_turns * 2 * std::numbers::pi)) /
         (2 * std::log(double{h.rope_freq_base}));
}

std::vector<double> yarn_factors(const HyperParameters& h) {
  const double scaling = h.rope_scaling_factor;
  const double first = std::max(std::floor(pair_that_turns(h.rope_yarn_beta_fast, h)), 0.0);
  const double last =
      std::min(std::ceil(pair_that_turns(h.rope_yarn_beta_slow, h)), h.rope_dims - 1.0);
  std::vector<double> factors;
  for (std::uint32_t pair = 0; pair < h.rope_dims / 2; ++pair) {
    const double stretched = std::clamp((pair - first) / std::max(last - first, 1e-3), 0.0, 1.0);
    factors.push_back(1 / (stretched / scaling + (1 - stretched)));
  }
  return factors;
}

}  // namespace

RopeSpec rope_spec_of(const HyperParameters& hyper_parameters,
                      std::span<const float> file_factors) {
  const HyperParameters& h = hyper_parameters;
  RopeSpec spec{
      .n_pairs = h.rope_dims / 2,
      .freq_base = h.rope_freq_base,
      .attention_factor = h.rope_attention_factor,
      .factors = std::vector<double>(file_factors.begin(), file_factors.end()),
  };
  std::vector<double> factors;
  switch (h.rope_scaling) {
    case RopeScaling::kNone:
    case RopeScaling::kLongRope:
      return spec;
    case RopeScaling::kLinear:
      factors.assign(spec.n_pairs, h.rope_scaling_factor);
      break;
    case RopeScaling::kYarn:
      factors = yarn_factors(h);
      if (h.rope_scaling_factor > 1) {
        spec.attention_factor *= 1 + 0.1 * std::log(double{h.rope_scaling_factor});
      }
      break;
  }
  for (std::size_t i = 0; i < spec.factors.size(); ++i)
    factors[i] *= spec.factors[i];
  spec.factors = std::move(factors);
  return spec;
}

std::vector<float> rope_table(const RopeSpec& spec,
                              std::uint32_t first,
                              std::uint32_t n_positions) {
  std::vector<double> frequencies(spec.n_pairs);
  for (std::uint32_t pair = 0; pair < spec.n_pairs; ++pair) {
    const double factor = spec.factors.empty() ? 1.0 : spec.factors[pair];
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
