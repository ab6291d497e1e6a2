#include "daemon/features/recent_places.h"

#include <algorithm>
#include <utility>

namespace kinglet::daemon {
namespace {

constexpr std::size_t kMaxPlaces = 32;
// Some forty lines.
constexpr std::uint32_t kSamePlaceBytes = 1600;

bool is_close(ByteRange a, ByteRange b) {
  return std::max(a.begin, b.begin) <= std::uint64_t{std::min(a.end, b.end)} + kSamePlaceBytes;
}

}  // namespace

void RecentPlaces::note(const std::string& path, ByteRange range) {
  std::erase_if(places_, [&](const indexer::RecentPlace& place) {
    if (place.path != path) return false;
    if (place.range.end == 0) return true;  // only opened so far
    if (!is_close(place.range, range)) return false;
    range = {std::min(place.range.begin, range.begin), std::max(place.range.end, range.end)};
    return true;
  });
  places_.push_front({path, range});
  if (places_.size() > kMaxPlaces) places_.pop_back();
}

void RecentPlaces::note_opened(const std::string& path) {
  const auto is_known = std::ranges::find(places_, path, &indexer::RecentPlace::path);
  if (is_known == places_.end()) note(path, {0, 0});
}

std::vector<indexer::RecentPlace> RecentPlaces::below(const std::string& root) const {
  const std::string folder = root.ends_with('/') ? root : root + '/';
  std::vector<indexer::RecentPlace> places;
  for (const indexer::RecentPlace& place : places_) {
    if (place.path.starts_with(folder))
      places.push_back({place.path.substr(folder.size()), place.range});
  }
  return places;
}

}  // namespace kinglet::daemon
