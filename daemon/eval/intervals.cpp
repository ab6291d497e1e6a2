#include "daemon/eval/intervals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <random>
#include <vector>

namespace kinglet::daemon {

namespace {

constexpr std::size_t kDraws = 2'000;

struct Sum {
  double values = 0;
  double n = 0;
};

}  // namespace

std::optional<Interval> mean_by_file(std::span<const Sample> samples, std::uint64_t seed) {
  if (samples.empty()) return std::nullopt;
  std::map<std::string, Sum> by_file;
  Sum all;
  for (const Sample& sample : samples) {
    for (Sum* sum : {&all, &by_file[sample.file]}) {
      sum->values += sample.value;
      sum->n += 1;
    }
  }
  std::vector<Sum> files;
  files.reserve(by_file.size());
  for (const auto& [path, sum] : by_file)
    files.push_back(sum);

  std::mt19937_64 random(seed);
  std::vector<double> means(kDraws);
  for (double& mean : means) {
    Sum drawn;
    for (std::size_t i = 0; i < files.size(); ++i) {
      // Not std::uniform_int_distribution: that may draw otherwise in another library.
      const Sum& file = files[random() % files.size()];
      drawn.values += file.values;
      drawn.n += file.n;
    }
    mean = drawn.values / drawn.n;
  }
  std::ranges::sort(means);
  const auto quantile = [&](double q) {
    return means[static_cast<std::size_t>(std::lround(q * static_cast<double>(kDraws - 1)))];
  };
  return Interval{.mean = all.values / all.n, .low = quantile(0.025), .high = quantile(0.975)};
}

}  // namespace kinglet::daemon
