#include "tests/inference/grammar/grammar_lab.h"

#include <stdexcept>

#include "tests/inference/tokenizer/test_vocabulary.h"

namespace kinglet::test {

using inference::ConstraintState;
using inference::TokenId;
using inference::TokenMask;

namespace {

inference::Tokenizer lab_tokenizer() {
  TestVocabulary vocabulary = code_vocabulary();
  float score = -1000;
  for (const char* piece :
       {"\",",         "\":",        "\":\u2581", "{\"",  "\"}",  "[[",      "]]",
        "\",\u2581\"", "true",       "false",     "null", "name", "\\\"",    "\\u00",
        "}}",          "\n",         "123",       "0.",   "],",   "\u2581{", "\\n",
        "\"name\":",   "\xc3\xb6\"", "e+",        "-1",   "[]",   "{}",      "\u2581\""}) {
    vocabulary.add(piece, --score);
  }
  return vocabulary.tokenizer();
}

const inference::Tokenizer& shared_tokenizer() {
  static const inference::Tokenizer kTokenizer = lab_tokenizer();
  return kTokenizer;
}

const inference::TokenTrie& shared_trie() {
  static const inference::TokenTrie kTrie(shared_tokenizer());
  return kTrie;
}

}  // namespace

GrammarLab::GrammarLab(inference::grammar::Machine machine)
    : tokenizer_(&shared_tokenizer()), trie_(&shared_trie()) {
  auto constraint =
      inference::Constraint::create(std::move(machine), *trie_, tokenizer_->vocabulary());
  if (!constraint) throw std::runtime_error(constraint.error().message);
  constraint_ = *constraint;
}

const inference::Vocabulary& GrammarLab::vocabulary() const {
  return tokenizer_->vocabulary();
}

bool GrammarLab::accepts(std::string_view text) const {
  ConstraintState at = state();
  for (const char c : text) {
    const TokenId token = TestVocabulary::kFirstByte + static_cast<unsigned char>(c);
    TokenMask mask(vocabulary().size());
    at.allow(1'000'000, mask);
    if (!mask.allows(token)) return false;
    at.accept(token);
  }
  return at.may_end();
}

GrammarLab::Drawn GrammarLab::draw(std::uint32_t n_most, std::mt19937& random) const {
  Drawn drawn;
  ConstraintState at = state();
  for (std::uint32_t n_left = n_most; n_left > 0 && !at.must_end(); --n_left) {
    TokenMask mask(vocabulary().size());
    at.allow(n_left, mask);
    std::vector<TokenId> allowed;
    for (TokenId id = 0; vocabulary().contains(id); ++id) {
      if (mask.allows(id)) allowed.push_back(id);
    }
    if (allowed.empty()) {
      drawn.trouble = "stuck after: " + drawn.text;
      return drawn;
    }
    const TokenId token = allowed[random() % allowed.size()];
    if (vocabulary().is_end_of_generation(token)) {
      if (!at.may_end()) drawn.trouble = "ended early: " + drawn.text;
      return drawn;
    }
    drawn.text += trie_->text(token);
    at.accept(token);
  }
  if (!at.may_end()) drawn.trouble = "cut short: " + drawn.text;
  return drawn;
}

std::string GrammarLab::check_mask(const ConstraintState& state, std::uint32_t n_left) const {
  ConstraintState asked = state;
  TokenMask mask(vocabulary().size());
  asked.allow(n_left, mask);
  for (TokenId id = 0; vocabulary().contains(id); ++id) {
    bool expected = false;
    if (vocabulary().is_end_of_generation(id)) {
      expected = state.may_end();
    } else if (!trie_->text(id).empty()) {
      ConstraintState tried = state;
      tried.accept(id);
      expected = tried.n_needed() < n_left;
    }
    if (mask.allows(id) != expected) {
      return "token " + std::to_string(id) + " '" + std::string(trie_->text(id)) + "' is " +
             (expected ? "not allowed" : "allowed") + " with " + std::to_string(n_left) + " left";
    }
  }
  return {};
}

}  // namespace kinglet::test
