// What an output has to be, besides probable: which tokens may come next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "inference/constraint.h"
#include "inference/token_mask.h"
#include "inference/tokenizer/token_trie.h"

namespace kinglet::inference {

/// Makes an output begin with a text, in whatever tokens; what follows is a text of a grammar, or
/// anything. One per generation.
class Steering {
 public:
  static constexpr std::size_t kMaxBytes = 1024;

  /// Allows everything.
  Steering() = default;
  /// `trie` must outlive it; `constraint` may be nullptr. Errors: kInvalidArgument for a text that
  /// is too long or that no tokens spell, and when both together need more than `n_most` tokens.
  static Result<Steering> create(const TokenTrie& trie,
                                 std::string begins_with,
                                 std::shared_ptr<Constraint> constraint,
                                 std::uint32_t n_most);

  /// The tokens that may come next, if `n_left` may come in all; nullptr: any. Valid until the next
  /// call.
  const TokenMask* allowed(std::uint32_t n_left);
  /// The token that was chosen. REQUIRES one that was allowed.
  void accept(TokenId token);
  /// Whether any token may come, now and from now on.
  bool is_free() const { return rest_.empty() && !state_; }
  /// Whether nothing can follow.
  bool must_end() const { return rest_.empty() && state_ && state_->must_end(); }

 private:
  const TokenTrie* trie_ = nullptr;
  std::string rest_;  // of what the output has to begin with
  std::optional<ConstraintState> state_;
  TokenMask mask_;
};

}  // namespace kinglet::inference
