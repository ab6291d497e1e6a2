#include "daemon/features/prompt.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#define XXH_INLINE_ALL  // header only: nothing to link
#include <xxhash.h>

#include "inference/tokenizer/line_segments.h"

namespace kinglet::daemon {

using inference::kNoToken;
using inference::SpecialTokens;
using inference::TokenId;

namespace {

// In tokens; a segment takes as much memory as so many, besides its own.
constexpr std::size_t kMaxCachedTokens = std::size_t{4} << 20;  // 16 MiB
constexpr std::size_t kTokensPerSegment = 40;

// An instruct model's answer begins with so many lines before the cursor's: enough to show that it
// is in the middle of something.
constexpr int kTailLines = 12;

struct SplitPrefix {
  std::string_view head;
  std::string_view tail;
};

SplitPrefix split(std::string_view prefix) {
  std::size_t begin = prefix.size();
  for (int n_lines = 0; n_lines < kTailLines && begin > 0; ++n_lines) {
    // The line feed before the line, not the one that ends it.
    const std::size_t before = begin < 2 ? std::string_view::npos : prefix.rfind('\n', begin - 2);
    begin = before == std::string_view::npos ? 0 : before + 1;
  }
  return {prefix.substr(0, begin), prefix.substr(begin)};
}

bool holds(const Layout& layout, PartKind kind) {
  return std::ranges::any_of(layout, [&](const Part& part) { return part.kind == kind; });
}

}  // namespace

PromptWriter::PromptWriter(std::shared_ptr<const inference::Vocabulary> vocabulary,
                           const ChatTemplate* chat)
    : tokenizer_(std::move(vocabulary)),
      chat_(chat),
      format_(choose_prompt_format(tokenizer_.vocabulary(), chat)),
      splits_prefix_(holds(format_.layout, PartKind::kTail)),
      splits_at_lines_(inference::splits_at_lines(tokenizer_)) {}

PromptWriter::Segment PromptWriter::encode(std::string_view text) const {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  const Key key{hash.low64, hash.high64};
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = cached_.find(key); found != cached_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->second;
    }
  }
  auto segment = std::make_shared<const std::vector<TokenId>>(
      tokenizer_.encode(text, {.space_prefix = inference::SpacePrefix::kNever}));
  const std::lock_guard lock(mutex_);
  if (cached_.contains(key)) return segment;
  recent_.emplace_front(key, segment);
  cached_.emplace(key, recent_.begin());
  n_cached_tokens_ += segment->size() + kTokensPerSegment;
  while (n_cached_tokens_ > kMaxCachedTokens && recent_.size() > 1) {
    n_cached_tokens_ -= recent_.back().second->size() + kTokensPerSegment;
    cached_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return segment;
}

template <class Visit>
void PromptWriter::encode_parts(std::string_view text, Visit visit) const {
  if (text.empty()) return;
  if (!splits_at_lines_) return visit(*encode(text));
  inference::for_each_line_segment(text, [&](std::string_view part) { visit(*encode(part)); });
}

std::size_t PromptWriter::count_tokens(std::string_view text) const {
  std::size_t n_tokens = 0;
  encode_parts(text, [&](const std::vector<TokenId>& part) { n_tokens += part.size(); });
  return n_tokens;
}

std::size_t PromptWriter::count_prefix_tokens(std::string_view prefix) const {
  if (!splits_prefix_) return count_tokens(prefix);
  const auto [head, tail] = split(prefix);
  return count_tokens(head) + count_tokens(tail);
}

indexer::PackOverhead PromptWriter::overhead(const PromptPlace& place) const {
  indexer::Pack pack;
  const std::size_t fixed = write(pack, place).tokens.size();
  pack.chunks.emplace_back();
  return {.fixed = fixed, .per_chunk = write(pack, place).tokens.size() - fixed};
}

std::vector<PartKind> PromptWriter::order() const {
  std::vector<PartKind> order;
  for (const Part& part : format_.layout) {
    // A prefix in two parts is where its larger one is.
    const PartKind kind = part.kind == PartKind::kHead ? PartKind::kPrefix : part.kind;
    if (kind == PartKind::kChunks || kind == PartKind::kPrefix || kind == PartKind::kSuffix)
      order.push_back(kind);
  }
  return order;
}

indexer::PackShares PromptWriter::shares() const {
  indexer::PackShares shares;
  if (!format_.holds_suffix) shares.prefix_of_file = 1;
  return shares;
}

void PromptWriter::append(std::string_view text, std::vector<TokenId>& tokens) const {
  encode_parts(text, [&](const std::vector<TokenId>& part) {
    tokens.insert(tokens.end(), part.begin(), part.end());
  });
}

/// `chunk`: the one that the part is of; null outside a chunk.
void PromptWriter::append(const Part& part,
                          const indexer::Pack& pack,
                          const indexer::PackedChunk* chunk,
                          const PromptPlace& place,
                          std::vector<TokenId>& tokens) const {
  switch (part.kind) {
    case PartKind::kControl:
      return tokens.push_back(part.token);
    case PartKind::kText:
      return append(fill_in(part.text, place, tokenizer_.vocabulary()), tokens);
    case PartKind::kChunks:
      for (const indexer::PackedChunk& each : pack.chunks) {
        for (const Part& of_chunk : format_.chunk)
          append(of_chunk, pack, &each, place, tokens);
      }
      return;
    case PartKind::kHeader:
      assert(chunk != nullptr);
      return append(chunk->header, tokens);
    case PartKind::kChunkText:
      assert(chunk != nullptr);
      return append(chunk->text, tokens);
    case PartKind::kPrefix:
      return append(pack.prefix, tokens);
    case PartKind::kHead:
      return append(split(pack.prefix).head, tokens);
    case PartKind::kTail:
      return append(split(pack.prefix).tail, tokens);
    case PartKind::kSuffix:
      return append(pack.suffix, tokens);
  }
}

Prompt PromptWriter::write(const indexer::Pack& pack, const PromptPlace& place) const {
  const inference::Vocabulary& vocabulary = tokenizer_.vocabulary();
  Prompt prompt;
  if (vocabulary.add_bos() && vocabulary.special().bos != kNoToken)
    prompt.tokens.push_back(vocabulary.special().bos);
  for (const Part& part : format_.layout)
    append(part, pack, nullptr, place, prompt.tokens);
  prompt.n_frozen = prompt.tokens.size();
  append(pack.typed, prompt.tokens);
  prompt.closing = fill_in(format_.closing, place, vocabulary);
  return prompt;
}

std::vector<TokenId> PromptWriter::stop_tokens() const {
  const SpecialTokens& special = tokenizer_.vocabulary().special();
  std::vector<TokenId> stops = {special.fim_pre,
                                special.fim_suf,
                                special.fim_mid,
                                special.fim_pad,
                                special.fim_rep,
                                special.fim_sep};
  for (const Layout* layout : {&format_.layout, &format_.chunk}) {
    for (const Part& part : *layout) {
      if (part.kind == PartKind::kControl) stops.push_back(part.token);
    }
  }
  std::sort(stops.begin(), stops.end());
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
  std::erase(stops, kNoToken);
  return stops;
}

}  // namespace kinglet::daemon
