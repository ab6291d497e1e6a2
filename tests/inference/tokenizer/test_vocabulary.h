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

/// Characters, spaces and words of code: enough for merging to have choices.
TestVocabulary code_vocabulary();

}  // namespace kinglet::test
