// How well a symbol's name fits what somebody typed.
#pragma once

#include <optional>
#include <string_view>

namespace kinglet::indexer {

/// Nothing when the query's letters do not come in the name in this order, in any case. Higher is
/// better: the name itself, then prefixes, then letters that begin words (`fb` in `foo_bar`,
/// `fooBar`), then the rest; of equal fits the shorter name.
std::optional<int> fuzzy_score(std::string_view query, std::string_view name);

}  // namespace kinglet::indexer
