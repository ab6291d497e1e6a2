// A place in a repository where a completion is worth looking at, for `kinglet try`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace kinglet::daemon {

struct DemoSite {
  std::string path;          // relative to the root
  std::string before;        // the file's text up to the cursor
  std::string after;         // from the cursor's line end on
  std::string was_there;     // the rest of the cursor's line in the file: taken out
  std::uint32_t line = 0;    // zero-based
  std::uint32_t column = 0;  // bytes
};

/// A line inside a function of a source file, cut after its first opening bracket, dot or equals
/// sign. The same repository and seed give the same place. Errors: kNotFound when no file of a
/// language that Kinglet parses has such a line.
Result<DemoSite> choose_demo_site(const std::filesystem::path& root, std::uint32_t seed);

/// The place a user names, "FILE:LINE:COLUMN" (one-based, the file relative to the root).
Result<DemoSite> demo_site_at(const std::filesystem::path& root, std::string_view place);

}  // namespace kinglet::daemon
