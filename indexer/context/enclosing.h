// What the line stands in. Its name leads to those who call it, to its namesakes in other types
// (what it overrides, what overrides it) and to its tests; in a long function it stands nowhere
// near the line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/neighborhood.h"
#include "indexer/index.h"

namespace kinglet::indexer {

/// The names of the functions and types around the end of `before`, the innermost first, as the
/// index knows the file.
std::vector<std::string> enclosing_names(const Snapshot& index,
                                         std::string_view path,
                                         std::string_view before);

/// Gives each of them the weight of a name that stands close by.
void add_enclosing(const std::vector<std::string>& enclosing, std::vector<NearName>& names);

}  // namespace kinglet::indexer
