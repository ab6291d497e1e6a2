// Text to tokens and back.
//
// Text never becomes a control token, unless a caller asks for it by name (ControlNames): a file
// that reads "<|end|>" is tokenized as the letters and signs it shows. Control tokens enter a
// prompt by id only (Vocabulary::special()). Every byte string survives: decode(encode(text)) ==
// text, valid UTF-8 or not. (One exception, of vocabularies that can neither spell a byte nor spare
// a token for it: byte_level_bpe.h.)
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/tokenizer/vocabulary.h"

namespace kinglet::inference {

class TokenMatcher;
class TokenizerAlgorithm;

/// Whether a space is put before the text. Some models were trained with one before each text;
/// the middle of a file must not get one.
enum class SpacePrefix : std::uint8_t { kByVocabulary, kNever };

/// Whether the vocabulary's begin and end tokens are put around the tokens, where it asks for them.
enum class TextEnds : std::uint8_t { kBare, kByVocabulary };

/// What the name of a control token ("<|end|>") is in a text.
enum class ControlNames : std::uint8_t {
  kText,    // letters and signs like others; the text of a control token is nothing
  kTokens,  // the token itself; for texts that their author wrote as a prompt, never for files
};

struct EncodeOptions {
  SpacePrefix space_prefix = SpacePrefix::kByVocabulary;
  TextEnds ends = TextEnds::kBare;
  ControlNames control_names = ControlNames::kText;
};

/// Immutable; its methods may be called from any thread.
class Tokenizer {
 public:
  explicit Tokenizer(std::shared_ptr<const Vocabulary> vocabulary);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Takes any bytes of any length, in O(n log n) time; the working memory is bounded. Runs
  /// of more than 2^21 characters without a place where every tokenization is cut (a space, for
  /// most vocabularies) are cut there. User-defined tokens are matched in the text as they stand,
  /// from its beginning on, the longest first.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The text of tokens that begin a text: control tokens are nothing, a prefixed space (of a
  /// vocabulary that adds one) is taken off. Ids outside the vocabulary are nothing. With
  /// ControlNames::kTokens, control tokens are their names.
  std::string decode(std::span<const TokenId> tokens,
                     ControlNames control_names = ControlNames::kText) const;

  /// Appends the bytes of one token as it stands in the middle of a text. A token may end inside a
  /// UTF-8 character; the next one completes it.
  void append_piece(TokenId token, std::string& text) const;

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  const std::shared_ptr<const Vocabulary>& shared_vocabulary() const { return vocabulary_; }

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unique_ptr<const TokenizerAlgorithm> algorithm_;
  std::unique_ptr<const TokenMatcher> user_defined_;
  std::unique_ptr<const TokenMatcher> user_defined_and_control_;
};

}  // namespace kinglet::inference
