#include "tests/inference/tokenizer/test_vocabulary.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

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

ByteLevelVocabulary::ByteLevelVocabulary(inference::PreTokenizer rule) {
  options.tokenizer = inference::TokenizerKind::kByteLevelBpe;
  options.pre_tokenizer = rule;
  for (int byte = 0; byte < 256; ++byte)
    add(in_byte_alphabet(std::string(1, static_cast<char>(byte))));
}

TokenId ByteLevelVocabulary::merge(std::string_view left, std::string_view right) {
  options.merges.push_back({find(left), find(right)});
  const std::string text = in_byte_alphabet(std::string(left) + std::string(right));
  const auto there = std::find(texts.begin(), texts.end(), text);
  return there == texts.end() ? add(text) : static_cast<TokenId>(there - texts.begin());
}

TokenId ByteLevelVocabulary::add(std::string text, TokenKind kind) {
  texts.push_back(std::move(text));
  kinds.push_back(kind);
  return static_cast<TokenId>(texts.size() - 1);
}

TokenId ByteLevelVocabulary::add_word(std::string_view word) {
  TokenId token = find(word.substr(0, 1));
  for (std::size_t n = 1; n < word.size(); ++n)
    token = merge(word.substr(0, n), word.substr(n, 1));
  return token;
}

TokenId ByteLevelVocabulary::find(std::string_view bytes) const {
  const auto there = std::find(texts.begin(), texts.end(), in_byte_alphabet(bytes));
  if (there == texts.end()) throw std::logic_error("no token " + std::string(bytes));
  return static_cast<TokenId>(there - texts.begin());
}

inference::VocabularyParts ByteLevelVocabulary::parts() const {
  inference::VocabularyParts parts = options;
  parts.texts.assign(texts.begin(), texts.end());
  parts.scores.assign(texts.size(), 0);
  parts.kinds = kinds;
  return parts;
}

inference::Tokenizer ByteLevelVocabulary::tokenizer() const {
  return inference::Tokenizer(std::make_shared<const inference::Vocabulary>(
      inference::Vocabulary::create(parts()).value()));
}

std::string in_byte_alphabet(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    // As GPT-2's encoder.py has it: visible Latin-1 as it is, the others in order from U+0100 on.
    unsigned character = byte;
    if (byte <= 0x20) character = 0x100 + byte;
    if (byte >= 0x7f && byte <= 0xa0) character = 0x121 + byte - 0x7f;
    if (byte == 0xad) character = 0x143;
    if (character < 0x80) {
      text += static_cast<char>(character);
    } else {
      text += static_cast<char>(0xc0 | character >> 6);
      text += static_cast<char>(0x80 | (character & 0x3f));
    }
  }
  return text;
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
