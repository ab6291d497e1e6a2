// Which bytes of a text are code: not in a comment, not in a string. Lexical, for languages whose
// texts read alike; good enough to tell words from prose, not to compile.
#pragma once

#include <cstddef>
#include <string_view>

#include "indexer/use.h"

namespace kinglet::indexer {

/// Whether the byte at `at` is code, read from `begin` on, which must be code itself.
bool is_code(std::string_view text, std::size_t begin, std::size_t at, Family family);

}  // namespace kinglet::indexer
