// How much of a file its grammar could not read.
#pragma once

#include <optional>
#include <string_view>

#include "indexer/language.h"
#include "indexer/parse.h"

namespace kinglet::indexer {

/// Bytes inside error nodes, as a part of all; nothing when there is no grammar, or no tree within
/// the limits.
std::optional<double> error_share(const Language& language,
                                  std::string_view text,
                                  const ParseLimits& limits = {});

}  // namespace kinglet::indexer
