#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/tokenizer/tokenizer.h"

namespace kinglet::test {

/// A vocabulary to be changed before it is made: <unk> 0, <s> 1, </s> 2, bytes from 3, then what a
/// test adds.
class TestVocabulary {
 public:
  static constexpr inference::TokenId kFirstByte = 3;

  TestVocabulary();

  inference::TokenId add(std::string text,
                         float score,
                         inference::TokenKind kind = inference::TokenKind::kNormal);

  inference::VocabularyParts parts() const;
  inference::Tokenizer tokenizer() const;

  /// Everything but the tokens.
  inference::VocabularyParts options;
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<inference::TokenKind> kinds;
};

/// A byte-level vocabulary: the 256 byte tokens (token n is byte n), then what merge() makes.
class ByteLevelVocabulary {
 public:
  explicit ByteLevelVocabulary(inference::PreTokenizer rule = inference::PreTokenizer::kGpt2);

  /// Makes the token of two texts that are tokens, given as the bytes they stand for; the earlier,
  /// the sooner merged. Its id.
  inference::TokenId merge(std::string_view left, std::string_view right);
  /// Adds a token without a merge, text as in a file.
  inference::TokenId add(std::string text,
                         inference::TokenKind kind = inference::TokenKind::kNormal);
  /// Merges that lead from bytes to this text, letter by letter.
  inference::TokenId add_word(std::string_view word);

  inference::VocabularyParts parts() const;
  inference::Tokenizer tokenizer() const;

  /// Everything but the tokens.
  inference::VocabularyParts options;
  std::vector<std::string> texts;
  std::vector<inference::TokenKind> kinds;

 private:
  inference::TokenId find(std::string_view bytes) const;
};

/// A token text in the alphabet of byte-level vocabularies: "\u0120int" of " int".
std::string in_byte_alphabet(std::string_view bytes);

/// Characters, spaces and words of code: enough for merging to have choices.
TestVocabulary code_vocabulary();

}  // namespace kinglet::test
