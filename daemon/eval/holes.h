// Which pieces of a repository's files a model is asked to write again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "indexer/context/hole.h"
#include "indexer/index.h"
#include "indexer/language.h"
#include "indexer/scan.h"

namespace kinglet::daemon {

struct HoleWish {
  std::size_t n_holes = 0;
  std::uint64_t seed = 0;
  std::vector<indexer::HoleKind> kinds;  // none twice, not kCommit
};

/// A hole, and the file that it is in.
struct ChosenHole {
  indexer::Hole hole;
  std::shared_ptr<const std::string> text;  // of the whole file
  const indexer::Language* language = nullptr;

  std::string_view gold() const { return hole.range.of(*text); }
};

/// "line, block, call, first-use" to kinds. Errors: kInvalidArgument, naming those there are.
Result<std::vector<indexer::HoleKind>> read_kinds(const std::vector<std::string>& names);

/// At most max(3, n/12) of a file, none that overlap, drawn by the seed from what is indexed and
/// still on disk as it was. Kinds have shares of their own, and the first of line, block, call and
/// first use takes what the others leave. Fewer where there are no more. By path and place.
std::vector<ChosenHole> choose_holes(const indexer::Snapshot& index,
                                     const indexer::Root& root,
                                     const HoleWish& wish);

}  // namespace kinglet::daemon
