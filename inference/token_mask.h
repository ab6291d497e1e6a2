// A set of tokens: which of them may come next.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

/// One bit for each token below size().
class TokenMask {
 public:
  TokenMask() = default;
  explicit TokenMask(std::size_t n_tokens) : words_((n_tokens + 63) / 64), n_tokens_(n_tokens) {}

  std::size_t size() const { return n_tokens_; }
  bool allows(TokenId token) const {
    const auto bit = static_cast<std::size_t>(token);
    return bit < n_tokens_ && (words_[bit / 64] >> (bit % 64) & 1) != 0;
  }
  std::size_t count() const {
    std::size_t n = 0;
    for (const std::uint64_t word : words_)
      n += static_cast<std::size_t>(std::popcount(word));
    return n;
  }

  /// REQUIRES 0 <= token < size().
  void allow(TokenId token) {
    const auto bit = static_cast<std::size_t>(token);
    words_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  /// Adds another mask's tokens. REQUIRES other.size() == size().
  void allow(const TokenMask& other) {
    for (std::size_t i = 0; i < words_.size(); ++i)
      words_[i] |= other.words_[i];
  }
  void clear() { words_.assign(words_.size(), 0); }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t n_tokens_ = 0;
};

}  // namespace kinglet::inference
