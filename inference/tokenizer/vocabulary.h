// What a tokenizer knows: each token's text, score and kind, and which tokens have a meaning of
// their own. Checked once when made, then immutable; flat, so that the engine can hand it to the
// broker as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "inference/tokenizer/pre_tokenizers.h"

namespace kinglet::inference {

using TokenId = std::int32_t;
constexpr TokenId kNoToken = -1;

/// Numbered as in GGUF and in serialized vocabularies: may not change.
enum class TokenKind : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // made by us alone, never from text
  kUserDefined = 4,  // matched in text before anything else
  kUnused = 5,
  kByte = 6,  // one byte of text that no other token covers
};

/// How text becomes tokens; one row each in kinds.cpp. The numbers are in serialized vocabularies.
enum class TokenizerKind : std::uint8_t {
  kSentencePieceBpe = 1,
  kByteLevelBpe = 2,
};

/// Two tokens that byte-level BPE joins to one, whose text is both texts together. Of all merges
/// that a text allows, the one that stands first in the vocabulary's list is made first.
struct Merge {
  TokenId left;
  TokenId right;
};

/// Tokens with a meaning of their own; kNoToken where the model has none.
struct SpecialTokens {
  TokenId bos = kNoToken;
  TokenId eos = kNoToken;
  TokenId unknown = kNoToken;
  TokenId padding = kNoToken;
  TokenId fim_pre = kNoToken;  // before the text before the cursor
  TokenId fim_suf = kNoToken;  // before the text after the cursor
  TokenId fim_mid = kNoToken;  // before what the model is to write
  TokenId fim_pad = kNoToken;
  TokenId fim_rep = kNoToken;  // before the repository's name
  TokenId fim_sep = kNoToken;  // before each file's path
};

/// What a Vocabulary is made from. `texts`, `scores` and `kinds` have one entry per token, by id.
struct VocabularyParts {
  TokenizerKind tokenizer = TokenizerKind::kSentencePieceBpe;
  std::vector<std::string_view> texts;  // as in the model file: U+2581 for space, <0x0A> for bytes
  std::vector<float> scores;
  std::vector<TokenKind> kinds;
  SpecialTokens special;
  /// Tokens at which generation stops, eos among them (it need not be listed).
  std::vector<TokenId> end_of_generation;
  /// Tokens that swallow the white space after them, where control tokens are read from text.
  std::vector<TokenId> strip_after;
  PreTokenizer pre_tokenizer = PreTokenizer::kNone;  // kByteLevelBpe has one, others have none
  std::vector<Merge> merges;                         // best first; of kByteLevelBpe alone
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;  // a space is put before a text's first character
};

class Vocabulary {
 public:
  static constexpr std::size_t kMaxTokens = std::size_t{1} << 22;
  static constexpr std::size_t kMaxTokenBytes = 1024;

  /// Copies the texts. kCorrupt (naming the token) unless: arrays of equal length, 1 to kMaxTokens
  /// tokens; no text longer than kMaxTokenBytes, no two tokens of one text (empty texts aside);
  /// scores not NaN; special ids in range and no bytes; at most 2 * kMaxTokens merges, each of two
  /// tokens whose joined text is a token; whatever the tokenizer kind needs besides.
  /// Tokens named in `special` or `end_of_generation` become kControl (those of kind kUnknown
  /// aside, and bytes are refused): no text may turn into them, whatever the model file says of
  /// their kind.
  static Result<Vocabulary> create(const VocabularyParts& parts);

  /// Bytes for another process, and back; what deserialize() takes is checked like a model file.
  std::vector<std::byte> serialize() const;
  static Result<Vocabulary> deserialize(std::span<const std::byte> bytes);

  /// Equal for equal vocabularies, in any process: names what was counted or cached with it.
  std::uint64_t hash() const { return hash_; }

  std::size_t size() const { return kinds_.size(); }
  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }

  /// These REQUIRE contains(id).
  std::string_view text(TokenId id) const;
  float score(TokenId id) const { return scores_[static_cast<std::size_t>(id)]; }
  TokenKind kind(TokenId id) const { return kinds_[static_cast<std::size_t>(id)]; }

  /// The token with exactly this text, of whatever kind.
  std::optional<TokenId> find(std::string_view text) const;

  TokenizerKind tokenizer() const { return tokenizer_; }
  const SpecialTokens& special() const { return special_; }
  /// Ascending, without repeats.
  std::span<const TokenId> end_of_generation() const { return end_of_generation_; }
  bool is_end_of_generation(TokenId id) const;
  /// Whether white space after this token is no text of its own.
  bool strips_after(TokenId id) const;
  PreTokenizer pre_tokenizer() const { return pre_tokenizer_; }
  std::span<const Merge> merges() const { return merges_; }
  bool add_bos() const { return add_bos_; }
  bool add_eos() const { return add_eos_; }
  bool add_space_prefix() const { return add_space_prefix_; }
  std::size_t longest_text() const { return longest_text_; }

 private:
  Vocabulary() = default;
  Result<void> index_texts();
  Result<void> set_apart(std::span<const TokenId> end_of_generation);
  Result<void> check_merges() const;

  TokenizerKind tokenizer_ = TokenizerKind::kSentencePieceBpe;
  std::string bytes_;                  // all texts, one after the other
  std::vector<std::uint32_t> starts_;  // size() + 1 offsets into bytes_
  std::vector<float> scores_;
  std::vector<TokenKind> kinds_;
  SpecialTokens special_;
  std::vector<TokenId> end_of_generation_;
  std::vector<TokenId> strip_after_;  // ascending
  PreTokenizer pre_tokenizer_ = PreTokenizer::kNone;
  std::vector<Merge> merges_;
  bool add_bos_ = false;
  bool add_eos_ = false;
  bool add_space_prefix_ = false;
  std::size_t longest_text_ = 0;
  std::vector<TokenId> slots_;  // open addressing by hash of the text; kNoToken is free
  std::uint64_t hash_ = 0;
};

}  // namespace kinglet::inference
