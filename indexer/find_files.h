// Files by what somebody types of their paths.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::indexer {

/// Paths that hold the query's letters in order, best first: in the file's name before in its
/// folders; equal ones by path. A query with '/' is matched part by part: `ind/res` finds
/// `indexer/resolve.cpp`. Blanks in a query are skipped.
std::vector<std::string> find_files(std::span<const std::string> paths,
                                    std::string_view query,
                                    std::size_t limit);

}  // namespace kinglet::indexer
