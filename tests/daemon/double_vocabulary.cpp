#include "tests/daemon/double_vocabulary.h"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::test {

using inference::TokenKind;

std::shared_ptr<const inference::Vocabulary> double_vocabulary(std::string_view model_path) {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>"};
  std::vector<TokenKind> kinds = {TokenKind::kUnknown, TokenKind::kControl, TokenKind::kControl};
  if (model_path.ends_with("other")) {
    texts.emplace_back("<|other|>");
    kinds.push_back(TokenKind::kControl);
  }
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    texts.emplace_back(text);
    kinds.push_back(TokenKind::kByte);
  }
  inference::VocabularyParts parts;
  parts.texts.assign(texts.begin(), texts.end());
  parts.scores.assign(texts.size(), 0);
  parts.kinds = std::move(kinds);
  parts.special.unknown = 0;
  parts.special.bos = 1;
  parts.special.eos = 2;
  return std::make_shared<const inference::Vocabulary>(
      inference::Vocabulary::create(parts).value());
}

}  // namespace kinglet::test
