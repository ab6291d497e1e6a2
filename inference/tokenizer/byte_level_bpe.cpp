// The algorithm (Sennrich, Haddow and Birch 2016, on bytes since Radford et al. 2019, "GPT-2"): a
// rule cuts the text into pieces (pre_tokenizers.h); a piece starts as a row of bytes, each of them
// a token; of all neighbors that the vocabulary lists as a merge, those of the first merge in the
// list are joined, the leftmost among equals, until none is left.
//
// Token texts are written in an alphabet of 256 visible characters, one for each byte: "Ġ" is a
// space. Merging never looks at texts: a merge is a pair of token ids.
//
// Most pieces of real text are one token. Whether merging makes just that token of the piece is
// found out once, by merging it; from then on such a piece costs one look-up.
#include "inference/tokenizer/byte_level_bpe.h"

#include "inference/tokenizer/pair_merger.h"
#include "inference/tokenizer/piece_splitter.h"
#include "inference/tokenizer/utf8.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <optional>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kinglet::inference {
namespace {

constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 21;  // merged at once: bounds the memory
constexpr std::string_view kReplacement = "\ufffd";

/// The alphabet: visible characters of Latin-1 stand for the byte of their number, U+0100 and on
/// for the other bytes in their order.
constexpr auto kBytesByCharacter = [] {
  std::array<std::int16_t, 0x144> bytes = {};
  std::size_t next = 0x100;
  for (auto& byte : bytes)
    byte = -1;
  for (std::int16_t byte = 0; byte < 256; ++byte) {
    const bool is_visible =
        (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
    bytes[is_visible ? static_cast<std::size_t>(byte) : next++] = byte;
  }
  return bytes;
}();

/// The bytes that a token text in the alphabet stands for; nothing if a character is not of it.
std::optional<std::string> bytes_of(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const std::size_t length = well_formed_length(text);
    if (length == 0 || length > 2) return std::nullopt;
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t character =
        length == 1 ? lead : (lead & 0x1fU) << 6 | (static_cast<unsigned char>(text[1]) & 0x3fU);
    if (character >= kBytesByCharacter.size() || kBytesByCharacter[character] < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(kBytesByCharacter[character]);
    text.remove_prefix(length);
  }
  return bytes;
}

/// Whether a text can be expected to have the byte: what other bytes stand for may be lost.
bool is_needed(std::size_t byte) {
  return byte == '\t' || byte == '\n' || byte == '\r' || (byte >= 0x20 && byte < 0x7f);
}

struct ByteTokens {
  struct Spare {
    TokenId token;
    char byte;
  };
  std::array<TokenId, 256> tokens;  // kNoToken: the vocabulary cannot write this byte
  std::vector<Spare> spares;        // unused tokens that stand in for a byte, ascending by both
};

ByteTokens find_byte_tokens(const Vocabulary& vocabulary) {
  ByteTokens found;
  found.tokens.fill(kNoToken);
  for (TokenId id = 0; vocabulary.contains(id); ++id) {
    if (vocabulary.kind(id) != TokenKind::kNormal || vocabulary.text(id).size() > 2) continue;
    const auto bytes = bytes_of(vocabulary.text(id));
    if (bytes && bytes->size() == 1) found.tokens[static_cast<unsigned char>((*bytes)[0])] = id;
  }
  TokenId spare = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (found.tokens[byte] != kNoToken || is_needed(byte)) continue;
    while (vocabulary.contains(spare) && vocabulary.kind(spare) != TokenKind::kUnused)
      ++spare;
    if (!vocabulary.contains(spare)) break;
    found.spares.push_back({spare, static_cast<char>(byte)});
    found.tokens[byte] = spare++;
  }
  return found;
}

/// What pairs of tokens are joined to, and in which order.
class MergeTable {
 public:
  using Joined = PairMerger<std::uint32_t>::Joined;

  explicit MergeTable(const Vocabulary& vocabulary) {
    const auto merges = vocabulary.merges();
    slots_.assign(std::bit_ceil(merges.size() + merges.size() / 2 + 1), Slot{});
    std::string text;
    const auto is_normal = [&](TokenId id) { return vocabulary.kind(id) == TokenKind::kNormal; };
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const auto [left, right] = merges[rank];
      text.assign(vocabulary.text(left)).append(vocabulary.text(right));
      const TokenId token = vocabulary.find(text).value();  // Vocabulary::create() made sure
      // No way of merges leads to, or through, what is no text.
      if (!is_normal(left) || !is_normal(right) || !is_normal(token)) continue;
      Slot& slot = slots_[slot_of(left, right)];
      if (slot.left == kNoToken) slot = {left, right, static_cast<std::uint32_t>(rank), token};
    }
  }

  std::optional<Joined> find(TokenId left, TokenId right) const {
    const Slot& slot = slots_[slot_of(left, right)];
    if (slot.left == kNoToken) return std::nullopt;
    return Joined{slot.rank, slot.token};
  }

 private:
  struct Slot {
    TokenId left = kNoToken;
    TokenId right = kNoToken;
    std::uint32_t rank = 0;
    TokenId token = kNoToken;
  };

  /// Where the pair is, or else the free slot where it would be.
  std::size_t slot_of(TokenId left, TokenId right) const {
    const std::uint64_t pair =
        std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
    std::size_t i = (pair * 0x9e3779b97f4a7c15) >> 20;
    for (;; ++i) {
      const Slot& slot = slots_[i &= slots_.size() - 1];
      if (slot.left == kNoToken || (slot.left == left && slot.right == right)) return i;
    }
  }

  std::vector<Slot> slots_;
};

/// The bytes of all tokens, and the way back for those of text.
class Pieces {
 public:
  Pieces(const Vocabulary& vocabulary, const ByteTokens& byte_tokens) {
    const auto n = static_cast<TokenId>(vocabulary.size());
    auto spare = byte_tokens.spares.begin();
    starts_.push_back(0);
    for (TokenId id = 0; id < n; ++id) {
      if (spare != byte_tokens.spares.end() && spare->token == id) {
        bytes_ += (spare++)->byte;
      } else {
        bytes_ += piece_of(vocabulary, id);
      }
      starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    }
    slots_.assign(std::bit_ceil(2 * vocabulary.size() + 1), kNoToken);
    for (TokenId id = 0; id < n; ++id) {
      if (vocabulary.kind(id) == TokenKind::kNormal && !of(id).empty())
        slots_[slot_of(of(id))] = id;
    }
  }

  std::string_view of(TokenId id) const {
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(bytes_).substr(starts_[i], starts_[i + 1] - starts_[i]);
  }

  /// The normal token of these bytes, or kNoToken.
  TokenId find(std::string_view piece) const { return slots_[slot_of(piece)]; }

 private:
  static std::string piece_of(const Vocabulary& vocabulary, TokenId id) {
    const std::string_view text = vocabulary.text(id);
    switch (vocabulary.kind(id)) {
      case TokenKind::kControl:
      case TokenKind::kUnknown:
        return {};
      case TokenKind::kNormal:
        return bytes_of(text).value_or(std::string(text));
      case TokenKind::kUserDefined:
      case TokenKind::kUnused:
      case TokenKind::kByte:
        break;
    }
    return std::string(text);
  }

  std::size_t slot_of(std::string_view piece) const {
    std::size_t i = XXH3_64bits(piece.data(), piece.size());
    for (;; ++i) {
      const TokenId id = slots_[i &= slots_.size() - 1];
      if (id == kNoToken || of(id) == piece) return i;
    }
  }

  std::string bytes_;
  std::vector<std::uint32_t> starts_;
  std::vector<TokenId> slots_;  // open addressing by hash of the bytes; kNoToken is free
};

class ByteLevelBpe final : public TokenizerAlgorithm {
 public:
  explicit ByteLevelBpe(const Vocabulary& vocabulary)
      : rule_(*find_pre_tokenizer(vocabulary.pre_tokenizer())),
        byte_tokens_(find_byte_tokens(vocabulary)),
        merges_(vocabulary),
        pieces_(vocabulary, byte_tokens_),
        splitter_(rule_),
        merges_to_itself_(vocabulary.size()) {
    for (const char c : kReplacement)
      replacement_.push_back(byte_tokens_.tokens[static_cast<unsigned char>(c)]);
  }

  void encode(std::string_view text,
              bool space_prefix,
              std::vector<TokenId>& tokens) const override {
    PairMerger<std::uint32_t> merger;
    PieceSplitter::Scratch scratch(splitter_);
    const auto take = [&](std::string_view piece) { encode_piece(piece, merger, tokens); };
    if (space_prefix) {
      splitter_.split(' ' + std::string(text), scratch, take);
    } else {
      splitter_.split(text, scratch, take);
    }
  }

  void append_piece(TokenId token, std::string& text) const override { text += pieces_.of(token); }

 private:
  enum class Merges : std::uint8_t { kNotTried, kToItself, kToOthers };

  void encode_piece(std::string_view piece,
                    PairMerger<std::uint32_t>& merger,
                    std::vector<TokenId>& tokens) const {
    const TokenId whole = pieces_.find(piece);
    if (whole == kNoToken) {
      while (!piece.empty()) {
        const std::size_t n = merged_at_once(piece);
        merge(piece.substr(0, n), merger, tokens);
        piece.remove_prefix(n);
      }
      return;
    }
    // Written by several threads at once, always the same.
    std::atomic<Merges>& merges = merges_to_itself_[static_cast<std::size_t>(whole)];
    if (rule_.whole_pieces || merges.load(std::memory_order_relaxed) == Merges::kToItself) {
      tokens.push_back(whole);
      return;
    }
    const std::size_t before = tokens.size();
    merge(piece, merger, tokens);
    const bool to_itself = tokens.size() == before + 1 && tokens.back() == whole;
    merges.store(to_itself ? Merges::kToItself : Merges::kToOthers, std::memory_order_relaxed);
  }

  /// Bytes of the piece's beginning that are merged at once: whole characters.
  static std::size_t merged_at_once(std::string_view piece) {
    if (piece.size() <= kMaxPieceBytes) return piece.size();
    const auto is_inside = [&](std::size_t i) {
      return (static_cast<unsigned char>(piece[i]) & 0xc0) == 0x80;
    };
    std::size_t n = kMaxPieceBytes;
    while (n > kMaxPieceBytes - 3 && is_inside(n))
      --n;
    return n;
  }

  void merge(std::string_view piece,
             PairMerger<std::uint32_t>& merger,
             std::vector<TokenId>& tokens) const {
    merger.clear();
    for (std::size_t i = 0; i < piece.size(); ++i) {
      merger.add(static_cast<std::uint32_t>(i),
                 1,
                 byte_tokens_.tokens[static_cast<unsigned char>(piece[i])]);
    }
    merger.merge([this](const Symbol& left, const Symbol& right) {
      return merges_.find(left.token, right.token);
    });
    merger.visit([&](const Symbol& symbol) {
      if (symbol.token != kNoToken) {
        tokens.push_back(symbol.token);
      } else {
        tokens.insert(tokens.end(), replacement_.begin(), replacement_.end());
      }
    });
  }

  const PreTokenizerRow& rule_;
  ByteTokens byte_tokens_;
  MergeTable merges_;
  Pieces pieces_;
  PieceSplitter splitter_;
  std::vector<TokenId> replacement_;                           // U+FFFD, byte by byte
  mutable std::vector<std::atomic<Merges>> merges_to_itself_;  // by token
};

}  // namespace

Result<void> check_byte_level_bpe(const Vocabulary& vocabulary) {
  if (find_pre_tokenizer(vocabulary.pre_tokenizer()) == nullptr) {
    return fail(ErrorCode::kUnsupported, "it has no rule by which text is cut into pieces");
  }
  const ByteTokens byte_tokens = find_byte_tokens(vocabulary);
  const auto is_missing = [&](std::size_t byte) { return byte_tokens.tokens[byte] == kNoToken; };
  bool replaces = false;
  for (std::size_t byte = 0; byte < 256; ++byte)
    replaces = replaces || is_missing(byte);
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const bool is_of_replacement =
        kReplacement.find(static_cast<char>(byte)) != std::string_view::npos;
    if (!is_missing(byte) || !(is_needed(byte) || (replaces && is_of_replacement))) continue;
    return fail(ErrorCode::kUnsupported,
                "it has no token for the byte " + std::to_string(byte) +
                    ", so that not every text can be written; get a complete model file");
  }
  return {};
}

std::unique_ptr<const TokenizerAlgorithm> make_byte_level_bpe(const Vocabulary& vocabulary) {
  return std::make_unique<ByteLevelBpe>(vocabulary);
}

}  // namespace kinglet::inference
