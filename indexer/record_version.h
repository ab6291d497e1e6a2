// Which parser made a record.
#pragma once

#include <cstdint>

namespace kinglet::indexer {

/// Another number for every change to the indexer's sources, queries or grammars: a hash of them,
/// made by the build. A stored record of another number is not ours.
std::uint64_t record_version();

}  // namespace kinglet::indexer
