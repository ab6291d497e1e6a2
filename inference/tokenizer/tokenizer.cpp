#include "inference/tokenizer/tokenizer.h"

#include <cassert>

#include "inference/tokenizer/kinds.h"

namespace kinglet::inference {

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {
  // Vocabulary::create() lets nothing pass that has no row.
  const TokenizerKindRow* row = find_tokenizer_kind(vocabulary_->tokenizer());
  assert(row != nullptr);
  algorithm_ = row->make(*vocabulary_);
}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  const SpecialTokens& special = vocabulary_->special();
  const bool with_ends = options.ends == TextEnds::kByVocabulary;
  std::vector<TokenId> tokens;
  if (with_ends && vocabulary_->add_bos() && special.bos != kNoToken) tokens.push_back(special.bos);
  algorithm_->encode(
      text,
      options.space_prefix == SpacePrefix::kByVocabulary && vocabulary_->add_space_prefix(),
      tokens);
  if (with_ends && vocabulary_->add_eos() && special.eos != kNoToken) tokens.push_back(special.eos);
  return tokens;
}

std::string Tokenizer::decode(std::span<const TokenId> tokens) const {
  std::string text;
  for (const TokenId token : tokens)
    append_piece(token, text);
  if (vocabulary_->add_space_prefix() && !text.empty() && text.front() == ' ') text.erase(0, 1);
  return text;
}

void Tokenizer::append_piece(TokenId token, std::string& text) const {
  if (vocabulary_->contains(token)) algorithm_->append_piece(token, text);
}

}  // namespace kinglet::inference
