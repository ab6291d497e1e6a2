// The kinds of tokenizers: one implementation file and one row each.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

/// Turns text into tokens by one vocabulary, which outlives it. Immutable.
class TokenizerAlgorithm {
 public:
  TokenizerAlgorithm() = default;
  TokenizerAlgorithm(const TokenizerAlgorithm&) = delete;
  TokenizerAlgorithm& operator=(const TokenizerAlgorithm&) = delete;
  virtual ~TokenizerAlgorithm() = default;

  /// Appends the tokens of a text, which has a space put before it if `space_prefix`, even if it is
  /// empty. No control token, whatever the text.
  virtual void encode(std::string_view text,
                      bool space_prefix,
                      std::vector<TokenId>& tokens) const = 0;

  /// Appends the bytes of a token of the vocabulary; nothing for control tokens.
  virtual void append_piece(TokenId token, std::string& text) const = 0;
};

struct TokenizerKindRow {
  TokenizerKind kind;
  std::string_view gguf_name;  // value of tokenizer.ggml.model
  bool has_merges;             // and a pre-tokenizer; others have scores
  /// What the algorithm needs of a vocabulary: kCorrupt or kUnsupported names what is missing.
  Result<void> (*check)(const Vocabulary& vocabulary);
  /// REQUIRES a vocabulary that passed check().
  std::unique_ptr<const TokenizerAlgorithm> (*make)(const Vocabulary& vocabulary);
};

std::span<const TokenizerKindRow> tokenizer_kinds();

/// nullptr for a number or name without a row.
const TokenizerKindRow* find_tokenizer_kind(TokenizerKind kind);
const TokenizerKindRow* find_tokenizer_kind(std::string_view gguf_name);

}  // namespace kinglet::inference
