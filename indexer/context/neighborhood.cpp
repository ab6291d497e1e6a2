#include "indexer/context/neighborhood.h"

#include <algorithm>
#include <map>

#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kLinesBefore = 200;
constexpr std::size_t kLinesAfter = 60;
constexpr std::size_t kMaxLineBytes = 1000;  // longer ones are data
constexpr std::size_t kMinNameBytes = 3;
constexpr std::size_t kMaxNameBytes = 128;
// Below the cursor counts less: it is often the next function.
constexpr float kWeightAfter = 0.6F;
constexpr float kHalfDistance = 8;
constexpr float kMaxWeight = 4;

class Collector {
 public:
  void add_line(std::string_view line, std::uint32_t distance, float factor) {
    if (line.size() > kMaxLineBytes) return;
    const float weight = factor * kHalfDistance / (kHalfDistance + static_cast<float>(distance));
    for_each_identifier(line, [&](std::size_t at, std::string_view word) {
      if (word.size() < kMinNameBytes || word.size() > kMaxNameBytes) return;
      const auto [entry, is_new] = ids_.try_emplace(word, names_.size());
      if (is_new) names_.push_back({std::string(word), distance, 0, false});
      NearName& name = names_[entry->second];
      name.distance = std::min(name.distance, distance);
      name.weight = std::min(kMaxWeight, name.weight + weight);
      const std::size_t past = at + word.size();
      name.is_called |= past < line.size() && line[past] == '(';
    });
  }

  std::vector<NearName> finish() {
    std::stable_sort(names_.begin(), names_.end(), [](const NearName& a, const NearName& b) {
      return a.distance < b.distance;
    });
    return std::move(names_);
  }

 private:
  std::map<std::string_view, std::size_t> ids_;
  std::vector<NearName> names_;
};

}  // namespace

std::vector<NearName> near_names(std::string_view before, std::string_view after) {
  Collector collector;
  for (std::size_t n = 0, end = before.size(); n < kLinesBefore && end > 0; ++n) {
    const std::size_t line_feed = end - 1;  // `before` ends with one
    const std::size_t previous =
        line_feed == 0 ? std::string_view::npos : before.rfind('\n', line_feed - 1);
    const std::size_t begin = previous == std::string_view::npos ? 0 : previous + 1;
    collector.add_line(before.substr(begin, end - begin), static_cast<std::uint32_t>(n + 1), 1.0F);
    end = begin;
  }
  for (std::size_t n = 0, begin = 0; n < kLinesAfter && begin < after.size(); ++n) {
    const std::size_t end = std::min(after.find('\n', begin), after.size());
    collector.add_line(
        after.substr(begin, end - begin), static_cast<std::uint32_t>(n + 1), kWeightAfter);
    begin = end + 1;
  }
  return collector.finish();
}

}  // namespace kinglet::indexer
