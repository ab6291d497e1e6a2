// Where someone was lately, and what of the repository lies there: what they just wrote is what
// they use next, and the files of one task are edited together.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/base/text.h"

namespace kinglet::indexer {

/// A place that was edited or looked at.
struct RecentPlace {
  std::string path;  // relative to the root
  ByteRange range;   // about, and perhaps empty; it may have moved since
};

class Recency {
 public:
  /// The newest first; they outlive it.
  explicit Recency(std::span<const RecentPlace> places);

  bool empty() const { return by_path_.empty(); }
  std::span<const std::string_view> paths() const { return paths_; }  // the newest first
  /// 0 to 1: 1 where the newest place is, 0 where none is.
  float of_file(std::string_view path) const;
  float of(std::string_view path, ByteRange range) const;

 private:
  struct Weighed {
    ByteRange range;
    float weight;
  };
  std::vector<std::string_view> paths_;
  boost::unordered_flat_map<std::string_view, std::vector<Weighed>> by_path_;  // the newest first
};

}  // namespace kinglet::indexer
