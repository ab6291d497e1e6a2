// Token ids as text: numbers separated by white space.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::daemon {

/// kInvalidArgument names `where` (a file, a line) and the word that is no number. Whether a model
/// has such tokens is not checked.
Result<std::vector<inference::TokenId>> parse_token_ids(std::string_view text,
                                                        const std::string& where);

}  // namespace kinglet::daemon
