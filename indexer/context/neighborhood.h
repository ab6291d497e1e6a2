// What the code around a line names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::indexer {

struct NearName {
  std::string name;
  std::uint32_t distance = 0;  // lines to the nearest use; the line above the cursor's is 1
  float weight = 0;            // falls with distance, rises with each use
  bool is_called = false;      // some use is followed by '('
};

/// Names in the lines above and below, nearest first. The line itself has no part in it: what is
/// typed must not change the layout.
std::vector<NearName> near_names(std::string_view before, std::string_view after);

}  // namespace kinglet::indexer
