// Ways to choose what of a repository goes into a prompt: ours, and those that others ship.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/recency.h"
#include "indexer/history.h"
#include "tests/bench/context/corpus.h"
#include "tests/bench/context/measures.h"

namespace kinglet::bench {

using CountTokens = std::function<std::size_t(std::string_view)>;

struct PackTask {
  const Task& task;
  const indexer::Snapshot& index;  // with the hole hidden
  std::size_t budget = 0;          // tokens; the visible lines do not count
  const CountTokens& count;
  std::uint64_t seed = 0;
  const indexer::ChangeHistory& history;  // until the corpus was as it is
  /// What else the commit changes that the hole is of, as if it had been edited just before.
  std::vector<indexer::RecentPlace> recent = {};
};

struct Packer {
  std::string_view name;
  std::string_view what;  // for people
  std::function<std::vector<Piece>(const Corpus& corpus, const PackTask& task)> pack;
};

/// A row each; "kinglet" is the first.
std::span<const Packer> all_packers();

/// What a piece costs in a prompt: a line with its path, and its text.
std::size_t cost_of(const Piece& piece, const CountTokens& count);

}  // namespace kinglet::bench
