// The algorithm (Kudo and Richardson 2018, "SentencePiece"): a text starts as a row of characters;
// of all neighbors whose joined text is a token, the pair with the highest score is joined, the
// leftmost among equals, until no pair is left. What then is no token is spelled in byte tokens.
//
// A heap of candidate pairs over a linked list of symbols makes it O(n log n). Joining makes the
// candidates of both neighbors stale; instead of being searched for in the heap, a stale one is
// recognized when it comes up: the two symbols at its place are no longer as long together.
//
// In tokens, U+2581 stands for a space. A U+2581 that is really in the text therefore never enters
// the merging: it is spelled in bytes, so that decoding gives it back and not a space.
//
// No trained vocabulary has a token in which a space follows something else ("a b"). Where that
// holds, no pair across such a place can ever be joined, and the text is cut there into words: the
// result is the same, the heaps are tiny.
#include "inference/tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>

namespace kinglet::inference {
namespace {

constexpr std::string_view kSpace = "\u2581";
constexpr std::size_t kMaxSymbols = std::size_t{1} << 18;  // merged at once: bounds the memory

/// Bytes of the UTF-8 character at the text's start; 1 for a byte that begins none.
std::size_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0xc2   ? 1
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 1;
  if (length > text.size()) return 1;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 1;
  }
  return length;
}

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

constexpr std::uint32_t kEnd = ~std::uint32_t{0};

/// A run of the piece's bytes that is, or may become part of, one token.
struct Symbol {
  std::uint32_t begin;
  std::uint32_t length;  // 0: joined to the symbol before it
  std::uint32_t before;  // indices of neighbors, kEnd at the ends
  std::uint32_t after;
  TokenId token;  // kNoToken: not looked up yet
};

/// Two neighbors that may be joined.
struct Candidate {
  float score;
  std::uint32_t left;    // index of the left symbol
  std::uint32_t length;  // of both together: tells a stale candidate
  TokenId token;

  /// For a max-heap: highest score first, then leftmost.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score < b.score : a.left > b.left;
  }
};

/// What one encode() works with; kept between pieces to allocate once.
struct Workspace {
  std::string piece;                   // spaces already turned into U+2581
  std::vector<std::uint32_t> lengths;  // of the piece's characters
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

class SentencePieceBpe final : public TokenizerAlgorithm {
 public:
  explicit SentencePieceBpe(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    for (TokenId id = 0; vocabulary_.contains(id); ++id) {
      const std::string_view text = vocabulary_.text(id);
      if (vocabulary_.kind(id) == TokenKind::kByte) byte_tokens_[byte_of(text).value()] = id;
      if (text.empty() || !is_text(vocabulary_.kind(id))) continue;
      if (space_follows_something(text)) cut_before_spaces_ = false;
      if (vocabulary_.kind(id) == TokenKind::kUserDefined) {
        user_defined_.push_back(id);
        starts_user_defined_[static_cast<unsigned char>(text[0])] = true;
      }
    }
    std::sort(user_defined_.begin(), user_defined_.end(), [&](TokenId a, TokenId b) {
      return vocabulary_.text(a) < vocabulary_.text(b);
    });
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
    if (space_prefix && !text.empty()) add(kSpace);
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
    // [begin, at) in bytes, [first, next) in characters: passed, and not merged yet.
    std::size_t begin = 0;
    std::size_t at = 0;
    std::size_t first = 0;
    std::size_t next = 0;
    while (next < work.lengths.size()) {
      const std::optional<Match> match = match_user_defined(work, at, next);
      if (!match) {
        at += work.lengths[next++];
        continue;
      }
      merge(work, begin, first, next - first, tokens);
      tokens.push_back(match->token);
      begin = at += vocabulary_.text(match->token).size();
      first = next += match->n_characters;
    }
    merge(work, begin, first, next - first, tokens);
    work.piece.clear();
    work.lengths.clear();
  }

  struct Match {
    TokenId token;
    std::size_t n_characters;
  };

  /// The longest user-defined token that the piece continues with at a byte and character, and that
  /// ends where a character does.
  std::optional<Match> match_user_defined(const Workspace& work,
                                          std::size_t at,
                                          std::size_t character) const {
    const auto byte_of_piece = [&](std::size_t i) {
      return static_cast<unsigned char>(work.piece[at + i]);
    };
    if (!starts_user_defined_[byte_of_piece(0)]) return std::nullopt;
    // Narrows the sorted texts to those that begin as the piece does, one byte at a time.
    auto begin = user_defined_.begin();
    auto end = user_defined_.end();
    std::optional<Match> longest;
    std::size_t n_characters = 0;
    std::size_t character_end = 0;
    for (std::size_t i = 0; at + i < work.piece.size(); ++i) {
      const auto byte_of_token = [&](TokenId id) {
        const std::string_view text = vocabulary_.text(id);
        return i < text.size() ? static_cast<unsigned char>(text[i]) : -1;
      };
      const int wanted = byte_of_piece(i);
      begin =
          std::partition_point(begin, end, [&](TokenId id) { return byte_of_token(id) < wanted; });
      end =
          std::partition_point(begin, end, [&](TokenId id) { return byte_of_token(id) == wanted; });
      if (begin == end) break;
      if (i == character_end) character_end += work.lengths[character + n_characters++];
      const bool ends_here = vocabulary_.text(*begin).size() == i + 1;
      if (ends_here && character_end == i + 1) longest = Match{*begin, n_characters};
    }
    return longest;
  }

  /// Appends the tokens of n characters of the piece, from byte `begin` and character `first`.
  void merge(Workspace& work,
             std::size_t begin,
             std::size_t first,
             std::size_t n,
             std::vector<TokenId>& tokens) const {
    if (n == 0) return;
    auto& symbols = work.symbols;
    symbols.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const auto index = static_cast<std::uint32_t>(i);
      const std::uint32_t length = work.lengths[first + i];
      symbols.push_back({.begin = static_cast<std::uint32_t>(begin),
                         .length = length,
                         .before = i == 0 ? kEnd : index - 1,
                         .after = i + 1 == n ? kEnd : index + 1,
                         .token = kNoToken});
      begin += length;
    }
    work.heap.clear();
    for (std::uint32_t i = 0; i + 1 < n; ++i) {
      if (const auto candidate = candidate_at(work, i)) work.heap.push_back(*candidate);
    }
    std::make_heap(work.heap.begin(), work.heap.end());
    while (!work.heap.empty()) {
      std::pop_heap(work.heap.begin(), work.heap.end());
      const Candidate best = work.heap.back();
      work.heap.pop_back();
      join(work, best);
    }
    for (std::uint32_t i = 0; i != kEnd; i = symbols[i].after)
      emit(work, symbols[i], tokens);
  }

  std::optional<Candidate> candidate_at(const Workspace& work, std::uint32_t left) const {
    const Symbol& symbol = work.symbols[left];
    const std::uint32_t length = symbol.length + work.symbols[symbol.after].length;
    const auto token = text_token(std::string_view(work.piece).substr(symbol.begin, length));
    if (!token) return std::nullopt;
    return Candidate{vocabulary_.score(*token), left, length, *token};
  }

  void join(Workspace& work, const Candidate& candidate) const {
    auto& symbols = work.symbols;
    Symbol& left = symbols[candidate.left];
    if (left.length == 0 || left.after == kEnd) return;
    Symbol& right = symbols[left.after];
    if (left.length + right.length != candidate.length) return;
    left.length = candidate.length;
    left.token = candidate.token;
    right.length = 0;
    left.after = right.after;
    if (left.after != kEnd) symbols[left.after].before = candidate.left;
    const auto push = [&](std::uint32_t index) {
      if (const auto next = candidate_at(work, index)) {
        work.heap.push_back(*next);
        std::push_heap(work.heap.begin(), work.heap.end());
      }
    };
    if (left.before != kEnd) push(left.before);
    if (left.after != kEnd) push(candidate.left);
  }

  void emit(const Workspace& work, const Symbol& symbol, std::vector<TokenId>& tokens) const {
    const std::string_view text = std::string_view(work.piece).substr(symbol.begin, symbol.length);
    const auto token =
        symbol.token != kNoToken ? std::optional<TokenId>(symbol.token) : text_token(text);
    if (token) {
      tokens.push_back(*token);
    } else {
      spell(text == kSpace ? " " : text, tokens);
    }
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
  std::vector<TokenId> user_defined_;  // sorted by text
  std::array<bool, 256> starts_user_defined_ = {};
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
