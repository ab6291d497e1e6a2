// The algorithm (Kudo and Richardson 2018, "SentencePiece"): a text starts as a row of characters;
// of all neighbors whose joined text is a token, the pair with the highest score is joined, the
// leftmost among equals, until no pair is left. What then is no token is spelled in byte tokens.
//
// In tokens, U+2581 stands for a space. A U+2581 that is really in the text therefore never enters
// the merging: it is spelled in bytes, so that decoding gives it back and not a space.
//
// No trained vocabulary has a token in which a space follows something else ("a b"). Where that
// holds, no pair across such a place can ever be joined, and the text is cut there into words: the
// result is the same, the heaps are tiny.
#include "inference/tokenizer/sentencepiece_bpe.h"

#include "inference/tokenizer/pair_merger.h"
#include "inference/tokenizer/utf8.h"

#include <array>
#include <optional>

namespace kinglet::inference {
namespace {

constexpr std::string_view kSpace = "\u2581";
constexpr std::size_t kMaxSymbols = std::size_t{1} << 21;  // merged at once: bounds the memory

/// The byte that a token text like "<0x0A>" names; strict: nothing else is one.
std::optional<std::uint8_t> byte_of(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return std::nullopt;
  unsigned byte = 0;
  for (const char c : text.substr(3, 2)) {
    if (c >= '0' && c <= '9') {
      byte = byte * 16 + static_cast<unsigned>(c - '0');
    } else if (c >= 'A' && c <= 'F') {
      byte = byte * 16 + static_cast<unsigned>(c - 'A') + 10;
    } else {
      return std::nullopt;
    }
  }
  return static_cast<std::uint8_t>(byte);
}

/// Kinds that text may turn into by merging.
bool is_text(TokenKind kind) {
  return kind == TokenKind::kNormal || kind == TokenKind::kUserDefined;
}

/// What one encode() works with; kept between pieces to allocate once.
struct Workspace {
  std::string piece;                   // spaces already turned into U+2581
  std::vector<std::uint32_t> lengths;  // of the piece's characters
  PairMerger<float> merger;            // by the score, negated
};

class SentencePieceBpe final : public TokenizerAlgorithm {
 public:
  explicit SentencePieceBpe(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    for (TokenId id = 0; vocabulary_.contains(id); ++id) {
      const std::string_view text = vocabulary_.text(id);
      if (vocabulary_.kind(id) == TokenKind::kByte) byte_tokens_[byte_of(text).value()] = id;
      if (text.empty() || !is_text(vocabulary_.kind(id))) continue;
      if (space_follows_something(text)) cut_before_spaces_ = false;
    }
  }

  void encode(std::string_view text,
              bool space_prefix,
              std::vector<TokenId>& tokens) const override {
    Workspace work;
    const auto add = [&work](std::string_view character) {
      work.piece += character;
      work.lengths.push_back(static_cast<std::uint32_t>(character.size()));
    };
    bool after_space = true;  // nothing to cut off yet
    if (space_prefix) add(kSpace);
    while (!text.empty()) {
      const std::string_view character = text.substr(0, character_length(text));
      text.remove_prefix(character.size());
      if (character == kSpace) {
        encode_piece(work, tokens);
        spell(kSpace, tokens);
        after_space = true;
        continue;
      }
      const bool is_space = character == " ";
      if ((is_space && !after_space && cut_before_spaces_) || work.lengths.size() >= kMaxSymbols) {
        encode_piece(work, tokens);
      }
      add(is_space ? kSpace : character);
      after_space = is_space;
    }
    encode_piece(work, tokens);
  }

  void append_piece(TokenId token, std::string& text) const override {
    const std::string_view piece = vocabulary_.text(token);
    switch (vocabulary_.kind(token)) {
      case TokenKind::kByte:
        text += static_cast<char>(byte_of(piece).value());
        return;
      case TokenKind::kControl:
      case TokenKind::kUnknown:
        return;
      case TokenKind::kNormal:
      case TokenKind::kUserDefined:
      case TokenKind::kUnused:
        break;
    }
    std::size_t from = 0;
    for (std::size_t at = 0; (at = piece.find(kSpace, from)) != std::string_view::npos;) {
      text.append(piece, from, at - from) += ' ';
      from = at + kSpace.size();
    }
    text.append(piece, from);
  }

 private:
  static bool space_follows_something(std::string_view text) {
    bool after_space = true;
    while (!text.empty()) {
      const std::string_view character = text.substr(0, character_length(text));
      text.remove_prefix(character.size());
      const bool is_space = character == kSpace;
      if (is_space && !after_space) return true;
      after_space = is_space;
    }
    return false;
  }

  /// Appends the tokens of work.piece and empties it.
  void encode_piece(Workspace& work, std::vector<TokenId>& tokens) const {
    const std::string_view piece = work.piece;
    const auto text_of = [piece](const Symbol& symbol, std::size_t length) {
      return piece.substr(symbol.begin, length);
    };
    work.merger.clear();
    std::uint32_t begin = 0;
    for (const std::uint32_t length : work.lengths) {
      work.merger.add(begin, length, kNoToken);
      begin += length;
    }
    work.merger.merge([&](const Symbol& left, const Symbol& right) {
      const auto token = text_token(text_of(left, left.length + right.length));
      using Joined = PairMerger<float>::Joined;
      return token ? std::optional(Joined{-vocabulary_.score(*token), *token}) : std::nullopt;
    });
    work.merger.visit([&](const Symbol& symbol) {
      const std::string_view text = text_of(symbol, symbol.length);
      const auto token =
          symbol.token != kNoToken ? std::optional<TokenId>(symbol.token) : text_token(text);
      if (token) {
        tokens.push_back(*token);
      } else {
        spell(text == kSpace ? " " : text, tokens);
      }
    });
    work.piece.clear();
    work.lengths.clear();
  }

  void spell(std::string_view text, std::vector<TokenId>& tokens) const {
    for (const char c : text)
      tokens.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  }

  std::optional<TokenId> text_token(std::string_view text) const {
    if (text.size() > vocabulary_.longest_text()) return std::nullopt;
    const auto token = vocabulary_.find(text);
    return token && is_text(vocabulary_.kind(*token)) ? token : std::nullopt;
  }

  const Vocabulary& vocabulary_;
  std::array<TokenId, 256> byte_tokens_ = {};
  bool cut_before_spaces_ = true;
};

}  // namespace

Result<void> check_sentencepiece_bpe(const Vocabulary& vocabulary) {
  std::array<bool, 256> seen = {};
  std::size_t n_seen = 0;
  for (TokenId id = 0; vocabulary.contains(id); ++id) {
    if (vocabulary.kind(id) != TokenKind::kByte) continue;
    const auto byte = byte_of(vocabulary.text(id));
    if (!byte || seen[*byte]) {
      return fail(ErrorCode::kCorrupt,
                  "token " + std::to_string(id) +
                      " is marked as a byte, but its text is not <0x00> to <0xFF>");
    }
    seen[*byte] = true;
    ++n_seen;
  }
  if (n_seen != seen.size()) {
    return fail(ErrorCode::kUnsupported,
                "it has " + std::to_string(n_seen) +
                    " of the 256 byte tokens, so that not every text can be written; get a model "
                    "whose tokenizer has byte fallback");
  }
  return {};
}

std::unique_ptr<const TokenizerAlgorithm> make_sentencepiece_bpe(const Vocabulary& vocabulary) {
  return std::make_unique<SentencePieceBpe>(vocabulary);
}

}  // namespace kinglet::inference
