#include "inference/tokenizer/tokenizer.h"

#include "inference/tokenizer/kinds.h"
#include "inference/tokenizer/token_matcher.h"
#include "inference/tokenizer/utf8.h"

#include <cassert>
#include <optional>
#include <utility>

namespace kinglet::inference {
namespace {

bool is_control(TokenKind kind) {
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown;
}

bool is_well_formed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = well_formed_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// A token in a text whose first bytes end a character would be cut out of that character.
void add(std::vector<std::pair<std::string, TokenId>>& list, std::string text, TokenId token) {
  if (is_well_formed(text)) list.emplace_back(std::move(text), token);
}

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {
  // Vocabulary::create() lets nothing pass that has no row.
  const TokenizerKindRow* row = find_tokenizer_kind(vocabulary_->tokenizer());
  assert(row != nullptr);
  algorithm_ = row->make(*vocabulary_);

  std::vector<std::pair<std::string, TokenId>> user_defined;
  std::vector<std::pair<std::string, TokenId>> both;
  for (TokenId id = 0; vocabulary_->contains(id); ++id) {
    if (vocabulary_->kind(id) == TokenKind::kUserDefined) {
      std::string text;
      algorithm_->append_piece(id, text);
      add(user_defined, text, id);
      add(both, std::move(text), id);
    } else if (is_control(vocabulary_->kind(id))) {
      add(both, std::string(vocabulary_->text(id)), id);
    }
  }
  user_defined_ = std::make_unique<const TokenMatcher>(std::move(user_defined));
  user_defined_and_control_ = std::make_unique<const TokenMatcher>(std::move(both));
}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  const SpecialTokens& special = vocabulary_->special();
  const bool with_ends = options.ends == TextEnds::kByVocabulary;
  std::vector<TokenId> tokens;
  if (with_ends && vocabulary_->add_bos() && special.bos != kNoToken) tokens.push_back(special.bos);

  const TokenMatcher& matcher =
      options.control_names == ControlNames::kTokens ? *user_defined_and_control_ : *user_defined_;
  const bool prefixes =
      options.space_prefix == SpacePrefix::kByVocabulary && vocabulary_->add_space_prefix();
  bool is_begin = true;  // of what these models saw as a text of its own: also after control tokens
  while (!text.empty()) {
    const auto match = matcher.find(text, 0);
    const std::string_view plain = text.substr(0, match ? match->begin : text.size());
    const bool is_match_control = match && is_control(vocabulary_->kind(match->token));
    if (!plain.empty() || !is_match_control) {
      algorithm_->encode(plain, prefixes && is_begin, tokens);
    }
    if (!match) break;
    tokens.push_back(match->token);
    text.remove_prefix(match->begin + match->length);
    if (is_match_control && vocabulary_->strips_after(match->token)) {
      const std::size_t begin = text.find_first_not_of(" \t\n\v\f\r");
      text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
    }
    is_begin = is_match_control;
  }

  if (with_ends && vocabulary_->add_eos() && special.eos != kNoToken) tokens.push_back(special.eos);
  return tokens;
}

std::string Tokenizer::decode(std::span<const TokenId> tokens, ControlNames control_names) const {
  std::string text;
  bool is_begin = true;
  for (const TokenId token : tokens) {
    if (!vocabulary_->contains(token)) continue;
    if (is_control(vocabulary_->kind(token))) {
      if (control_names == ControlNames::kTokens) {
        text += vocabulary_->text(token);
        is_begin = true;
      }
      continue;
    }
    const std::size_t before = text.size();
    algorithm_->append_piece(token, text);
    if (text.size() == before) continue;
    if (is_begin && vocabulary_->add_space_prefix() && text[before] == ' ') text.erase(before, 1);
    is_begin = false;
  }
  return text;
}

void Tokenizer::append_piece(TokenId token, std::string& text) const {
  if (vocabulary_->contains(token)) algorithm_->append_piece(token, text);
}

}  // namespace kinglet::inference
