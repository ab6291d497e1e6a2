#include "tests/inference/tokenizer/test_vocabulary.h"

#include <algorithm>
#include <memory>

namespace kinglet::test {

using inference::TokenId;
using inference::TokenKind;

TestVocabulary::TestVocabulary() {
  static constexpr char kHex[] = "0123456789ABCDEF";
  options.special.unknown = add("<unk>", 0, TokenKind::kUnknown);
  options.special.bos = add("<s>", 0, TokenKind::kControl);
  options.special.eos = add("</s>", 0, TokenKind::kControl);
  for (unsigned byte = 0; byte < 256; ++byte) {
    add(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">", 0, TokenKind::kByte);
  }
}

TokenId TestVocabulary::add(std::string text, float score, TokenKind kind) {
  texts.push_back(std::move(text));
  scores.push_back(score);
  kinds.push_back(kind);
  return static_cast<TokenId>(texts.size() - 1);
}

inference::VocabularyParts TestVocabulary::parts() const {
  inference::VocabularyParts parts = options;
  parts.texts.assign(texts.begin(), texts.end());
  parts.scores = scores;
  parts.kinds = kinds;
  return parts;
}

inference::Tokenizer TestVocabulary::tokenizer() const {
  return inference::Tokenizer(std::make_shared<const inference::Vocabulary>(
      inference::Vocabulary::create(parts()).value()));
}

TestVocabulary code_vocabulary() {
  TestVocabulary vocabulary;
  float score = 0;
  const auto add = [&](const std::string& text) {
    const auto& texts = vocabulary.texts;
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) vocabulary.add(text, --score);
  };
  const std::string space = "\u2581";
  for (const std::string word : {"return", "the", "value", "in", "int", "std", "vector", "aaaa"}) {
    for (const std::string& prefix : {space, std::string()}) {
      for (std::size_t n = 2; n <= word.size(); ++n)
        add(prefix + word.substr(0, n));
    }
  }
  for (const char* piece : {"\u2581\u2581",
                            "\u2581\u2581\u2581\u2581",
                            "()",
                            "er",
                            "re",
                            "on",
                            "\u00e4",
                            "\u00e4\u00e4",
                            "\u4e2d"}) {
    add(piece);
  }
  add(space);
  for (char c = '!'; c <= '~'; ++c)
    add(std::string(1, c));
  return vocabulary;
}

}  // namespace kinglet::test
