// Finds tokens that are matched in a text as they stand, before anything else: user-defined tokens
// and, where a caller asks for it, control tokens.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

/// Immutable.
class TokenMatcher {
 public:
  struct Match {
    std::size_t begin;
    std::size_t length;
    TokenId token;
  };

  /// Of tokens and the texts they are matched by; empty texts match nothing.
  explicit TokenMatcher(std::vector<std::pair<std::string, TokenId>> tokens);

  bool empty() const { return tokens_.empty(); }

  /// The first place at or after `from` where one of the tokens stands, the longest of those there.
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  std::optional<Match> match_at(std::string_view text, std::size_t begin) const;

  std::vector<std::pair<std::string, TokenId>> tokens_;  // sorted by text
  std::array<bool, 256> starts_ = {};                    // by first byte
};

}  // namespace kinglet::inference
