#include "inference/tokenizer/kinds.h"

#include <array>

#include "inference/tokenizer/byte_level_bpe.h"
#include "inference/tokenizer/sentencepiece_bpe.h"

namespace kinglet::inference {
namespace {

constexpr std::array kKinds = {
    TokenizerKindRow{TokenizerKind::kSentencePieceBpe,
                     "llama",
                     false,
                     check_sentencepiece_bpe,
                     make_sentencepiece_bpe},
    TokenizerKindRow{
        TokenizerKind::kByteLevelBpe, "gpt2", true, check_byte_level_bpe, make_byte_level_bpe},
};

}  // namespace

std::span<const TokenizerKindRow> tokenizer_kinds() {
  return kKinds;
}

const TokenizerKindRow* find_tokenizer_kind(TokenizerKind kind) {
  for (const TokenizerKindRow& row : kKinds) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

const TokenizerKindRow* find_tokenizer_kind(std::string_view gguf_name) {
  for (const TokenizerKindRow& row : kKinds) {
    if (row.gguf_name == gguf_name) return &row;
  }
  return nullptr;
}

}  // namespace kinglet::inference
