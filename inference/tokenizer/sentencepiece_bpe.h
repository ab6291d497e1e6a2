// SentencePiece's BPE with byte fallback (Llama 2, Phi-3, Mistral; "llama" in GGUF).
#pragma once

#include <memory>

#include "daemon/base/result.h"
#include "inference/tokenizer/kinds.h"

namespace kinglet::inference {

/// Byte tokens "<0x00>" to "<0xFF>", each once: without them not every text could be encoded.
Result<void> check_sentencepiece_bpe(const Vocabulary& vocabulary);

std::unique_ptr<const TokenizerAlgorithm> make_sentencepiece_bpe(const Vocabulary& vocabulary);

}  // namespace kinglet::inference
