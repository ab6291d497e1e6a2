// Where the person at the editor was lately: where they edited, asked for a completion, opened a
// file.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/context/recency.h"

namespace kinglet::daemon {

/// Of one session; in memory only. For one thread.
class RecentPlaces {
 public:
  /// Close to an earlier place it joins that one: someone who types is at one place.
  void note(const std::string& path, ByteRange range);
  /// A file that was opened is a place only until something happens in it.
  void note_opened(const std::string& path);
  /// Those below a folder, with paths relative to it: where something happened, the newest first,
  /// then what was only opened.
  std::vector<indexer::RecentPlace> below(const std::string& root) const;

 private:
  void add(const std::string& path, ByteRange range, bool is_known);

  struct Place {
    indexer::RecentPlace place;  // with its absolute path
    bool is_known = false;       // where in the file, not only that it was opened
  };
  std::deque<Place> places_;  // the newest first
};

}  // namespace kinglet::daemon
