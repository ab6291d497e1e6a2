#pragma once

#include "daemon/base/result.h"
#include "inference/gguf.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

/// Fills a vocabulary from a model file's tokenizer.ggml.* keys. Fill-in-the-middle tokens come
/// from tokenizer.ggml.fim_*_token_id, else from the names known models use.
/// Errors name file and key: kUnsupported (a tokenizer kind we do not have), kCorrupt.
Result<Vocabulary> vocabulary_from_gguf(const Gguf& gguf);

}  // namespace kinglet::inference
