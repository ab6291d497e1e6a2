// Definitions of a language that is nothing but commands, CMake, for which no grammar exists as a
// package: `add_library(name …)`.
#pragma once

#include <string_view>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/definitions.h"
#include "indexer/language.h"

namespace kinglet::indexer {

/// Functions, macros, targets, tests, options and variables that commands inside `where` define.
/// Time and findings are linear in the text.
void find_commands(const Language& language,
                   std::string_view text,
                   ByteRange where,
                   std::vector<Candidate>& candidates);

}  // namespace kinglet::indexer
