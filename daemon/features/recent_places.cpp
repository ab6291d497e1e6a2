#include "daemon/features/recent_places.h"

#include <algorithm>
#include <utility>

namespace kinglet::daemon {
namespace {

constexpr std::size_t kMaxPlaces = 32;
constexpr std::ptrdiff_t kMaxPlacesOfFile = 6;
// Some forty lines.
constexpr std::uint32_t kSamePlaceBytes = 1600;
// Who goes on and on through a file leaves what lies far behind.
constexpr std::uint32_t kMaxPlaceBytes = 8000;

bool is_close(ByteRange a, ByteRange b) {
  return std::max(a.begin, b.begin) <= std::uint64_t{std::min(a.end, b.end)} + kSamePlaceBytes;
}

}  // namespace

void RecentPlaces::add(const std::string& path, ByteRange range, bool is_known) {
  std::ptrdiff_t n_of_file = 0;
  std::erase_if(places_, [&](const Place& other) {
    if (other.place.path != path) return false;
    if (!other.is_known) return true;
    const ByteRange old = other.place.range;
    if (!is_close(old, range)) return ++n_of_file >= kMaxPlacesOfFile;
    const ByteRange both{std::min(old.begin, range.begin), std::max(old.end, range.end)};
    if (both.size() <= kMaxPlaceBytes) range = both;
    return true;
  });
  places_.push_front({{path, range}, is_known});
  if (places_.size() > kMaxPlaces) places_.pop_back();
}

void RecentPlaces::note(const std::string& path, ByteRange range) {
  add(path, range, true);
}

void RecentPlaces::note_opened(const std::string& path) {
  const auto is_of_file = [&](const Place& other) { return other.place.path == path; };
  if (std::ranges::none_of(places_, is_of_file)) add(path, {0, 0}, false);
}

std::vector<indexer::RecentPlace> RecentPlaces::below(const std::string& root) const {
  const std::string folder = root.ends_with('/') ? root : root + '/';
  std::vector<indexer::RecentPlace> places;
  for (const bool wants_known : {true, false}) {
    for (const auto& [place, is_known] : places_) {
      if (is_known == wants_known && place.path.starts_with(folder))
        places.push_back({place.path.substr(folder.size()), place.range});
    }
  }
  return places;
}

}  // namespace kinglet::daemon
