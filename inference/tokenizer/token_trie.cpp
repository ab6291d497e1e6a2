#include "inference/tokenizer/token_trie.h"

#include <algorithm>

namespace kinglet::inference {
namespace {

bool is_text(TokenKind kind) {
  return kind == TokenKind::kNormal || kind == TokenKind::kUserDefined || kind == TokenKind::kByte;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first -
      a.begin());
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer) : n_vocabulary_(tokenizer.vocabulary().size()) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  starts_.reserve(n_vocabulary_ + 1);
  for (TokenId id = 0; vocabulary.contains(id); ++id) {
    starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    if (is_text(vocabulary.kind(id))) tokenizer.append_piece(id, bytes_);
  }
  starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  for (TokenId id = 0; vocabulary.contains(id); ++id) {
    if (text(id).empty()) continue;
    tokens_.push_back(id);
    longest_text_ = std::max(longest_text_, text(id).size());
  }
  std::sort(tokens_.begin(), tokens_.end(), [&](TokenId a, TokenId b) {
    const int order = text(a).compare(text(b));
    return order != 0 ? order < 0 : a < b;
  });

  nodes_.push_back({.end = 0, .first_token = 0, .depth = 0, .byte = 0});
  std::vector<NodeIndex> path = {kRoot};  // from the root to the last node
  std::string_view previous;
  const auto close_below = [&](std::size_t depth) {
    for (; path.size() > depth + 1; path.pop_back())
      nodes_[path.back()].end = static_cast<NodeIndex>(nodes_.size());
  };
  for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view bytes = text(tokens_[i]);
    close_below(common_prefix(previous, bytes));
    for (std::size_t depth = path.size() - 1; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<NodeIndex>(nodes_.size()));
      nodes_.push_back({.end = 0,
                        .first_token = i,
                        .depth = static_cast<std::uint16_t>(depth + 1),
                        .byte = static_cast<std::uint8_t>(bytes[depth])});
    }
    previous = bytes;
  }
  close_below(0);
  nodes_[kRoot].end = static_cast<NodeIndex>(nodes_.size());
}

std::optional<TokenTrie::NodeIndex> TokenTrie::child(NodeIndex node, std::uint8_t byte) const {
  for (NodeIndex at = node + 1; at < nodes_[node].end; at = nodes_[at].end) {
    if (nodes_[at].byte == byte) return at;
  }
  return std::nullopt;
}

std::optional<TokenTrie::NodeIndex> TokenTrie::find(std::string_view text) const {
  NodeIndex node = kRoot;
  for (const char c : text) {
    const auto next = child(node, static_cast<std::uint8_t>(c));
    if (!next) return std::nullopt;
    node = *next;
  }
  return node;
}

std::string_view TokenTrie::text(TokenId token) const {
  if (token < 0 || static_cast<std::size_t>(token) >= n_vocabulary_) return {};
  const auto id = static_cast<std::size_t>(token);
  return std::string_view(bytes_).substr(starts_[id], starts_[id + 1] - starts_[id]);
}

TakenBack take_back(const TokenTrie& trie, std::span<const TokenId> prompt) {
  TakenBack best;
  std::string text;
  for (std::size_t n = 1; n < prompt.size(); ++n) {
    const std::string_view piece = trie.text(prompt[prompt.size() - n]);
    if (piece.empty() || text.size() + piece.size() > trie.longest_text()) break;
    text.insert(0, piece);
    const auto node = trie.find(text);
    if (node && (n > 1 || !trie.is_leaf(*node))) best = {n, text};
  }
  return best;
}

}  // namespace kinglet::inference
