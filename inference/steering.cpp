#include "inference/steering.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace kinglet::inference {
namespace {

/// Whether tokens spell `text`, the last one perhaps going on beyond it.
bool can_be_spelled(const TokenTrie& trie, std::string_view text) {
  std::vector<bool> reached(text.size() + 1, false);
  reached[0] = true;
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    if (!reached[begin]) continue;
    TokenTrie::NodeIndex node = TokenTrie::kRoot;
    for (std::size_t end = begin; end < text.size(); ++end) {
      const auto next = trie.child(node, static_cast<std::uint8_t>(text[end]));
      if (!next) break;
      node = *next;
      if (end + 1 == text.size() || !trie.tokens_at(node).empty()) reached[end + 1] = true;
    }
  }
  return reached[text.size()];
}

}  // namespace

Result<Steering> Steering::create(const TokenTrie& trie, std::string begins_with) {
  if (begins_with.size() > kMaxBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "the output is to begin with a text of " + std::to_string(begins_with.size()) +
                    " bytes; at most " + std::to_string(kMaxBytes) + " can be asked for");
  }
  if (!can_be_spelled(trie, begins_with)) {
    return fail(ErrorCode::kInvalidArgument,
                "the output is to begin with a text that no tokens of this model spell");
  }
  Steering steering;
  steering.trie_ = &trie;
  steering.rest_ = std::move(begins_with);
  steering.mask_ = TokenMask(trie.n_vocabulary());
  return steering;
}

const TokenMask* Steering::allowed() {
  if (rest_.empty()) return nullptr;
  mask_.clear();
  TokenTrie::NodeIndex node = TokenTrie::kRoot;
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    const auto next = trie_->child(node, static_cast<std::uint8_t>(rest_[i]));
    if (!next) return &mask_;
    node = *next;
    if (i + 1 == rest_.size()) break;
    // A token that is less than the text: what it leaves must be within reach.
    if (!trie_->tokens_at(node).empty() &&
        can_be_spelled(*trie_, std::string_view(rest_).substr(i + 1))) {
      for (const TokenId token : trie_->tokens_at(node))
        mask_.allow(token);
    }
  }
  for (const TokenId token : trie_->tokens_below(node))
    mask_.allow(token);
  return &mask_;
}

void Steering::accept(TokenId token) {
  if (!rest_.empty()) rest_.erase(0, trie_->text(token).size());
}

}  // namespace kinglet::inference
