// How sure a mean is. What lies in one file is alike, so files are drawn, not values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace kinglet::daemon {

struct Sample {
  std::string file;
  double value = 0;
};

struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// The mean, and the middle 95 % of the means of 2,000 draws of as many files, with replacement
/// (cluster bootstrap, percentiles). The same seed draws the same. Nothing without samples.
std::optional<Interval> mean_by_file(std::span<const Sample> samples, std::uint64_t seed);

}  // namespace kinglet::daemon
