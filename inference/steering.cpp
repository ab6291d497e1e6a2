#include "inference/steering.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace kinglet::inference {
namespace {

constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

/// Whether the last token that spells a text may go on beyond it.
enum class Ending { kExact, kMayGoOn };

/// The fewest tokens that spell a text; kNever when none do.
std::uint32_t n_to_spell(const TokenTrie& trie, std::string_view text, Ending ending) {
  std::vector<std::uint32_t> fewest(text.size() + 1, kNever);
  fewest[0] = 0;
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    if (fewest[begin] == kNever) continue;
    TokenTrie::NodeIndex node = TokenTrie::kRoot;
    for (std::size_t end = begin; end < text.size(); ++end) {
      const auto next = trie.child(node, static_cast<std::uint8_t>(text[end]));
      if (!next) break;
      node = *next;
      const bool goes_on = end + 1 == text.size() && ending == Ending::kMayGoOn;
      if (goes_on || !trie.tokens_at(node).empty()) {
        fewest[end + 1] = std::min(fewest[end + 1], fewest[begin] + 1);
      }
    }
  }
  return fewest[text.size()];
}

}  // namespace

Result<Steering> Steering::create(const TokenTrie& trie,
                                  std::string begins_with,
                                  std::shared_ptr<Constraint> constraint,
                                  std::uint32_t n_most) {
  if (begins_with.size() > kMaxBytes) {
    return fail(ErrorCode::kInvalidArgument,
                "the output is to begin with a text of " + std::to_string(begins_with.size()) +
                    " bytes; at most " + std::to_string(kMaxBytes) + " can be asked for");
  }
  const Ending ending = constraint ? Ending::kExact : Ending::kMayGoOn;
  const std::uint32_t n_first = n_to_spell(trie, begins_with, ending);
  if (n_first == kNever) {
    return fail(ErrorCode::kInvalidArgument,
                "the output is to begin with a text that no tokens of this model spell");
  }
  Steering steering;
  if (constraint) {
    const std::uint64_t n_needed = std::uint64_t{n_first} + constraint->shortest();
    if (n_needed > n_most) {
      return fail(ErrorCode::kInvalidArgument,
                  "what is asked for takes " + std::to_string(n_needed) +
                      " tokens at least, and only " + std::to_string(n_most) +
                      " may be generated; allow more");
    }
    steering.state_.emplace(std::move(constraint));
  }
  steering.trie_ = &trie;
  steering.rest_ = std::move(begins_with);
  steering.mask_ = TokenMask(trie.n_vocabulary());
  return steering;
}

const TokenMask* Steering::allowed(std::uint32_t n_left) {
  if (rest_.empty() && !state_) return nullptr;
  mask_.clear();
  if (rest_.empty()) {
    state_->allow(n_left, mask_);
    return &mask_;
  }
  // A token that is less than the text, or the text: what it leaves must be within reach.
  const std::string_view rest = rest_;
  const std::uint64_t n_after = state_ ? state_->n_needed() : 0;
  TokenTrie::NodeIndex node = TokenTrie::kRoot;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const auto next = trie_->child(node, static_cast<std::uint8_t>(rest[i]));
    if (!next) return &mask_;
    node = *next;
    if (trie_->tokens_at(node).empty()) continue;
    const std::uint32_t n_more =
        n_to_spell(*trie_, rest.substr(i + 1), state_ ? Ending::kExact : Ending::kMayGoOn);
    if (n_more == kNever || (state_ && n_more + n_after + 1 > n_left)) continue;
    for (const TokenId token : trie_->tokens_at(node))
      mask_.allow(token);
  }
  if (!state_) {
    for (const TokenId token : trie_->tokens_below(node))
      mask_.allow(token);
  }
  return &mask_;
}

void Steering::accept(TokenId token) {
  if (!rest_.empty()) {
    rest_.erase(0, trie_->text(token).size());
  } else if (state_) {
    state_->accept(token);
  }
}

}  // namespace kinglet::inference
