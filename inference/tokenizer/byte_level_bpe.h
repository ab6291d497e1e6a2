// Byte-level BPE (GPT-2 and most models since; "gpt2" in GGUF).
#pragma once

#include <memory>

#include "daemon/base/result.h"
#include "inference/tokenizer/kinds.h"

namespace kinglet::inference {

/// A pre-tokenizer with a row, and a token for each byte that text is made of. Other bytes that
/// have no token (some vocabularies leave out ASCII's controls, or the thirteen bytes that UTF-8
/// never uses) are written as one of the vocabulary's unused tokens or, where none is left, as
/// U+FFFD, which loses them.
Result<void> check_byte_level_bpe(const Vocabulary& vocabulary);

std::unique_ptr<const TokenizerAlgorithm> make_byte_level_bpe(const Vocabulary& vocabulary);

}  // namespace kinglet::inference
