// What every vocabulary must do that was accepted, wherever it came from.
#pragma once

#include <string_view>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::test {

/// Serializes, encodes and decodes. Throws BrokenPromise.
void use_vocabulary(const inference::Vocabulary& vocabulary, std::string_view text);

}  // namespace kinglet::test
