// Whether a byte of a text is code: not in a comment, not in a string. Lexical, for languages whose
// texts read alike; good enough to tell words from prose. In doubt a byte is code.
#pragma once

#include <cstddef>
#include <string_view>

#include "indexer/use.h"

namespace kinglet::indexer {

/// Looks at the byte's own line for comments and for strings that end on it, and some kilobytes
/// back for the beginning of a longer comment. `begin`: code at or before `at`, for docstrings.
bool is_code(std::string_view text, std::size_t begin, std::size_t at, Family family);

}  // namespace kinglet::indexer
