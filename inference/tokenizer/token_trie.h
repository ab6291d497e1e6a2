// The texts of a vocabulary as a tree of bytes: which tokens begin with these bytes, and which
// bytes lead to any token at all. Constrained decoding walks it beside a grammar.
//
// The tree is one array in preorder. A node's first child follows it, a child's next sibling
// follows the child's last descendant, and the tokens below a node are one range of another array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/tokenizer/tokenizer.h"

namespace kinglet::inference {

/// Immutable; its methods may be called from any thread.
class TokenTrie {
 public:
  using NodeIndex = std::uint32_t;
  static constexpr NodeIndex kRoot = 0;

  struct Node {
    NodeIndex end;              ///< one behind the last descendant
    std::uint32_t first_token;  ///< index into tokens(); those of this very text begin here
    std::uint16_t depth;        ///< bytes from the root
    std::uint8_t byte;          ///< the last of them; the root has none
  };

  /// Of all tokens that are text: normal, user-defined and byte tokens.
  explicit TokenTrie(const Tokenizer& tokenizer);

  std::size_t n_vocabulary() const { return n_vocabulary_; }
  std::span<const Node> nodes() const { return nodes_; }

  bool is_leaf(NodeIndex node) const { return nodes_[node].end == node + 1; }
  std::optional<NodeIndex> child(NodeIndex node, std::uint8_t byte) const;
  /// The node of a text; nothing when no token begins so.
  std::optional<NodeIndex> find(std::string_view text) const;

  /// Tokens whose text is exactly the node's.
  std::span<const TokenId> tokens_at(NodeIndex node) const {
    const std::uint32_t begin = nodes_[node].first_token;
    const std::uint32_t end = node + 1 < nodes_.size() ? nodes_[node + 1].first_token : n_tokens();
    return std::span(tokens_).subspan(begin, end - begin);
  }
  /// Tokens whose text begins with the node's.
  std::span<const TokenId> tokens_below(NodeIndex node) const {
    const std::uint32_t begin = nodes_[node].first_token;
    const NodeIndex behind = nodes_[node].end;
    const std::uint32_t end = behind < nodes_.size() ? nodes_[behind].first_token : n_tokens();
    return std::span(tokens_).subspan(begin, end - begin);
  }
  /// Bytes of a token; empty for tokens that are no text, and for ids outside the vocabulary.
  std::string_view text(TokenId token) const;
  std::size_t longest_text() const { return longest_text_; }

 private:
  std::uint32_t n_tokens() const { return static_cast<std::uint32_t>(tokens_.size()); }

  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;  // in the order of their texts
  std::string bytes_;            // texts by id
  std::vector<std::uint32_t> starts_;
  std::size_t n_vocabulary_ = 0;
  std::size_t longest_text_ = 0;
};

/// The end of a prompt, taken back so that the model may write it anew in other tokens.
struct TakenBack {
  std::size_t n_tokens = 0;
  std::string text;  ///< of these tokens
};

/// Token healing. A text cut anywhere (where a cursor stands) often ends inside what the model
/// knows as one token: after "ret", "urn" is improbable, because it learned "return". So the last
/// tokens, as many as together begin a longer token (or are another spelling of one), are to be
/// taken back, and the output has to begin with their text. Control tokens are never taken back,
/// nor is the first token of the prompt.
TakenBack take_back(const TokenTrie& trie, std::span<const TokenId> prompt);

}  // namespace kinglet::inference
