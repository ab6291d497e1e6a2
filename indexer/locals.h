// What a function declares for itself, and of which type an object is: lexical, for text that no
// grammar need have seen.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/base/text.h"
#include "indexer/use.h"

namespace kinglet::indexer {

/// Where the function whose text is `scope` declares `name` as a parameter or a local variable, at
/// or before `offset`: the first place, or nothing.
std::optional<ByteRange> find_local(std::string_view text,
                                    ByteRange scope,
                                    std::uint32_t offset,
                                    std::string_view name,
                                    Family family);

/// The word that names the type of `object`, by the declaration nearest to `offset`; empty when
/// none is found.
std::string_view type_of(std::string_view text,
                         std::uint32_t offset,
                         std::string_view object,
                         Family family);

}  // namespace kinglet::indexer
