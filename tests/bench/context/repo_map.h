// A repository map as aider makes it: definitions ranked by a personalised PageRank over files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/context/packers.h"

namespace kinglet::bench {

/// Signatures by file, as many as fit.
std::vector<Piece> repo_map(const Corpus& corpus, const PackTask& task);

}  // namespace kinglet::bench
