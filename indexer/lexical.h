// What words alone tell, for code that a grammar cannot parse: macros that stand for keywords or
// braces leave a quarter of real C++ files, and nearly half of C's, with error nodes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/text.h"
#include "indexer/definitions.h"
#include "indexer/language.h"

namespace kinglet::indexer {

/// The text with macros that only decorate replaced by spaces, so that offsets stay: the MACRO of
/// `class MACRO Name {`, and one that stands alone on its line between declarations. Nothing when
/// there is none.
std::optional<std::string> blank_macros(std::string_view text);

/// Definitions that begin inside `where`, by their first words; brackets decide where they end.
void find_lexical_definitions(const Language& language,
                              std::string_view text,
                              ByteRange where,
                              std::vector<Candidate>& candidates);

}  // namespace kinglet::indexer
