// Grammars over small vocabularies, for tests.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "inference/constraint.h"
#include "inference/tokenizer/token_trie.h"

namespace kinglet::test {

/// A grammar over a vocabulary of bytes and pieces of code and JSON.
class GrammarLab {
 public:
  explicit GrammarLab(inference::grammar::Machine machine);

  inference::ConstraintState state() const { return inference::ConstraintState(constraint_); }
  const inference::TokenTrie& trie() const { return *trie_; }
  const inference::Vocabulary& vocabulary() const;
  std::uint32_t shortest() const { return constraint_->shortest(); }

  /// Whether a text, spelled in bytes, is one of the grammar's.
  bool accepts(std::string_view text) const;
  /// A text of at most `n_most` tokens, each drawn among those allowed: a model of random weights,
  /// and a wild one, that seldom ends of itself. Empty, with a message on failure, when it gets
  /// stuck.
  struct Drawn {
    std::string text;
    std::string trouble;
  };
  Drawn draw(std::uint32_t n_most, std::mt19937& random) const;
  /// What is wrong with the mask of a state, compared with trying each token; empty: nothing.
  std::string check_mask(const inference::ConstraintState& state, std::uint32_t n_left) const;

 private:
  const inference::Tokenizer* tokenizer_;  // all labs share them
  const inference::TokenTrie* trie_;
  std::shared_ptr<inference::Constraint> constraint_;
};

}  // namespace kinglet::test
