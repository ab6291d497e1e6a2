// What an output has to be, besides probable: which tokens may come next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "inference/token_mask.h"
#include "inference/tokenizer/token_trie.h"

namespace kinglet::inference {

/// Makes an output begin with a text, in whatever tokens; then everything is allowed. One per
/// generation.
class Steering {
 public:
  static constexpr std::size_t kMaxBytes = 1024;

  /// Allows everything.
  Steering() = default;
  /// `trie` must outlive it. Errors: kInvalidArgument for a text that is too long or that no tokens
  /// spell.
  static Result<Steering> create(const TokenTrie& trie, std::string begins_with);

  /// The tokens that may come next; nullptr: all. Valid until the next call.
  const TokenMask* allowed();
  /// The token that was chosen. REQUIRES one that was allowed.
  void accept(TokenId token);

 private:
  const TokenTrie* trie_ = nullptr;
  std::string rest_;  // of what the output has to begin with
  TokenMask mask_;
};

}  // namespace kinglet::inference
