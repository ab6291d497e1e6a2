#include "indexer/context/recency.h"

namespace kinglet::indexer {
namespace {

// The place that so many newer ones stand before counts half.
constexpr float kHalfRank = 2;

}  // namespace

Recency::Recency(std::span<const RecentPlace> places) {
  float rank = 0;
  for (const RecentPlace& place : places) {
    std::vector<Weighed>& in_file = by_path_[place.path];
    if (in_file.empty()) paths_.push_back(place.path);
    in_file.push_back({place.range, kHalfRank / (kHalfRank + rank++)});
  }
}

float Recency::of_file(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? 0 : found->second.front().weight;
}

float Recency::of(std::string_view path, ByteRange range) const {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return 0;
  for (const Weighed& place : found->second) {
    if (place.range.end >= range.begin && place.range.begin <= range.end) return place.weight;
  }
  return 0;
}

}  // namespace kinglet::indexer
