// Which files an import means.
//
// An import says a path, a module or a package; what that means is decided by build systems that we
// do not run. So each language has a row of rules that turn the words into paths to try, the
// likeliest first, and every answer bears a confidence: 1 for a path relative to the importing file
// that is there, less for one found by its end alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/path_table.h"

namespace kinglet::indexer {

/// A file that an import may mean.
struct ImportedFile {
  std::uint32_t file = 0;  // into the paths
  float confidence = 0;    // in (0, 1]
  friend bool operator==(const ImportedFile&, const ImportedFile&) = default;
};

/// A Go module: its go.mod's folder and the path it goes by.
struct GoModule {
  std::string folder;  // "" at the root
  std::string name;    // "github.com/user/project"
};

/// What resolves imports besides the paths themselves.
struct ImportContext {
  const PathTable& paths;
  std::span<const GoModule> go_modules = {};
};

/// The files that `target` means where the file `from` imports it, best first; none for what lies
/// outside the repository. `language` is that of `from` (a row's name). At most 64, except for
/// packages: all their files.
std::vector<ImportedFile> resolve_import(const ImportContext& context,
                                         std::string_view language,
                                         std::string_view from,
                                         std::string_view target);

}  // namespace kinglet::indexer
