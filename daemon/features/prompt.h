// From a pack to the tokens of a prompt, in the format the model was trained on (prompt_format.h).
//
// Each segment is encoded alone, so counts add exactly and no chunk changes its neighbor. Its
// tokens are cached by lines where the vocabulary lets them be (line_segments.h). Markers are
// control tokens that no text can become. Whatever the format, the prompt ends with what was typed
// since it was laid out: while someone types it only grows at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/features/prompt_format.h"
#include "indexer/context/packer.h"
#include "inference/tokenizer/tokenizer.h"

namespace kinglet::daemon {

struct Prompt {
  std::vector<inference::TokenId> tokens;
  std::size_t n_frozen = 0;  // tokens before `typed`: the same for each key on one layout
  std::string closing;       // a line of the answer that begins so ends it; empty: none does
};

/// Writes prompts for one model. Methods may be called from any thread.
class PromptWriter {
 public:
  /// `chat`: how the model's turns are written, if it chats.
  explicit PromptWriter(std::shared_ptr<const inference::Vocabulary> vocabulary,
                        const ChatTemplate* chat = nullptr);

  /// "qwen2.5-coder", "instruct", "plain": a row of prompt_format.cpp.
  std::string_view format_name() const { return format_.name; }
  const ChatTemplate* chat() const { return chat_; }
  const inference::Tokenizer& tokenizer() const { return tokenizer_; }

  /// Tokens of a text encoded as a segment. Cached.
  std::size_t count_tokens(std::string_view text) const;
  /// The same of the current file's prefix, which some formats write in two segments.
  std::size_t count_prefix_tokens(std::string_view prefix) const;
  indexer::PackOverhead overhead(const PromptPlace& place) const;
  /// kChunks, kPrefix and kSuffix in the order in which they stand in a prompt.
  std::vector<PartKind> order() const;
  /// How a pack for this format divides its budget: no suffix for models that cannot be told one.
  indexer::PackShares shares() const;
  /// tokens.size() equals pack.n_tokens when the pack was made with this overhead and count.
  Prompt write(const indexer::Pack& pack, const PromptPlace& place) const;
  /// Where the model's answer ends, besides its end-of-generation tokens.
  std::vector<inference::TokenId> stop_tokens() const;

 private:
  using Segment = std::shared_ptr<const std::vector<inference::TokenId>>;
  Segment encode(std::string_view text) const;
  /// Calls visit(tokens) for the parts of a segment that are cached alone.
  template <class Visit>
  void encode_parts(std::string_view text, Visit visit) const;
  void append(std::string_view text, std::vector<inference::TokenId>& tokens) const;
  void append(const Part& part,
              const indexer::Pack& pack,
              const indexer::PackedChunk* chunk,
              const PromptPlace& place,
              std::vector<inference::TokenId>& tokens) const;

  inference::Tokenizer tokenizer_;
  const ChatTemplate* chat_;
  PromptFormat format_;
  bool splits_prefix_;
  bool splits_at_lines_;

  // Least recently used segments go first; keys are hashes of the text (128 bits).
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return key.first; }
  };
  mutable std::mutex mutex_;
  mutable std::list<std::pair<Key, Segment>> recent_;
  mutable std::unordered_map<Key, decltype(recent_)::iterator, KeyHash> cached_;
  mutable std::size_t n_cached_tokens_ = 0;
};

}  // namespace kinglet::daemon
