#include "daemon/features/prompt.h"

#include <array>
#include <string>
#include <utility>

#define XXH_INLINE_ALL  // header only: nothing to link
#include <xxhash.h>

namespace kinglet::daemon {

using inference::kNoToken;
using inference::SpecialTokens;
using inference::TokenId;

namespace {

constexpr std::size_t kMaxCachedTokens = std::size_t{2} << 20;  // 8 MiB of ids

// A piece of a prompt: a control token, or text.
struct Piece {
  TokenId token = kNoToken;
  std::string text;
};
using Pieces = std::vector<Piece>;

void put(Pieces& pieces, TokenId token) {
  pieces.push_back({token, {}});
}

void put(Pieces& pieces, std::string_view text) {
  if (!text.empty()) pieces.push_back({kNoToken, std::string(text)});
}

std::string line_of(std::string_view text) {
  return std::string(text) + "\n";
}

}  // namespace

// Everything before `typed`. `pack` may be empty: then only the fixed parts stand there.
struct PromptFormat {
  std::string_view name;
  bool (*suits)(const SpecialTokens& special);
  Pieces (*before_typed)(const SpecialTokens& special,
                         const indexer::Pack& pack,
                         const PromptPlace& place);
  std::size_t n_per_chunk;  // control tokens around one chunk
  bool holds_suffix;
};

namespace {

bool has_fim(const SpecialTokens& special) {
  return special.fim_pre != kNoToken && special.fim_suf != kNoToken && special.fim_mid != kNoToken;
}

void put_fim(Pieces& pieces, const SpecialTokens& special, const indexer::Pack& pack) {
  put(pieces, special.fim_pre);
  put(pieces, pack.prefix);
  put(pieces, special.fim_suf);
  put(pieces, pack.suffix);
  put(pieces, special.fim_mid);
}

// <rep>NAME\n <sep>PATH\nTEXT … <sep>CURRENT\n <pre>PREFIX<suf>SUFFIX<mid>: as Qwen2.5-Coder and
// the starter model were trained.
Pieces repository_prompt(const SpecialTokens& special,
                         const indexer::Pack& pack,
                         const PromptPlace& place) {
  Pieces pieces;
  if (special.fim_rep != kNoToken) {
    put(pieces, special.fim_rep);
    put(pieces, line_of(place.repository));
  }
  for (const indexer::PackedChunk& chunk : pack.chunks) {
    put(pieces, special.fim_sep);
    put(pieces, chunk.header);
    put(pieces, chunk.text);
  }
  put(pieces, special.fim_sep);
  put(pieces, line_of(place.path));
  put_fim(pieces, special, pack);
  return pieces;
}

// Models that know fill-in-the-middle of one file: the repository stands before its prefix.
Pieces file_prompt(const SpecialTokens& special,
                   const indexer::Pack& pack,
                   const PromptPlace& place) {
  Pieces pieces;
  put(pieces, special.fim_pre);
  for (const indexer::PackedChunk& chunk : pack.chunks) {
    put(pieces, chunk.header);
    put(pieces, chunk.text);
  }
  put(pieces, line_of(place.path));
  put(pieces, pack.prefix);
  put(pieces, special.fim_suf);
  put(pieces, pack.suffix);
  put(pieces, special.fim_mid);
  return pieces;
}

// Any other model: plain continuation. What follows the cursor cannot be told.
Pieces plain_prompt(const SpecialTokens&, const indexer::Pack& pack, const PromptPlace& place) {
  Pieces pieces;
  for (const indexer::PackedChunk& chunk : pack.chunks) {
    put(pieces, chunk.header);
    put(pieces, chunk.text);
  }
  put(pieces, line_of(place.path));
  put(pieces, pack.prefix);
  return pieces;
}

// The first row that suits is taken.
constexpr std::array kFormats = {
    PromptFormat{"repository",
                 [](const SpecialTokens& special) {
                   return has_fim(special) && special.fim_sep != kNoToken;
                 },
                 repository_prompt,
                 1,
                 true},
    PromptFormat{"file", has_fim, file_prompt, 0, true},
    PromptFormat{"plain", [](const SpecialTokens&) { return true; }, plain_prompt, 0, false},
};

const PromptFormat& format_for(const SpecialTokens& special) {
  for (const PromptFormat& format : kFormats) {
    if (format.suits(special)) return format;
  }
  return kFormats.back();
}

}  // namespace

PromptWriter::PromptWriter(std::shared_ptr<const inference::Vocabulary> vocabulary)
    : tokenizer_(vocabulary), format_(&format_for(vocabulary->special())) {}

std::string_view PromptWriter::format_name() const {
  return format_->name;
}

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
  n_cached_tokens_ += segment->size() + 1;
  while (n_cached_tokens_ > kMaxCachedTokens && recent_.size() > 1) {
    n_cached_tokens_ -= recent_.back().second->size() + 1;
    cached_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return segment;
}

std::size_t PromptWriter::count_tokens(std::string_view text) const {
  return text.empty() ? 0 : encode(text)->size();
}

indexer::PackOverhead PromptWriter::overhead(const PromptPlace& place) const {
  const Prompt empty = write({}, place);
  return {.fixed = empty.tokens.size(), .per_chunk = format_->n_per_chunk};
}

indexer::PackShares PromptWriter::shares() const {
  indexer::PackShares shares;
  if (!format_->holds_suffix) shares.prefix_of_file = 1;
  return shares;
}

Prompt PromptWriter::write(const indexer::Pack& pack, const PromptPlace& place) const {
  const inference::Vocabulary& vocabulary = tokenizer_.vocabulary();
  Prompt prompt;
  if (vocabulary.add_bos() && vocabulary.special().bos != kNoToken)
    prompt.tokens.push_back(vocabulary.special().bos);
  for (const Piece& piece : format_->before_typed(vocabulary.special(), pack, place)) {
    if (piece.token != kNoToken) {
      prompt.tokens.push_back(piece.token);
    } else {
      const Segment segment = encode(piece.text);
      prompt.tokens.insert(prompt.tokens.end(), segment->begin(), segment->end());
    }
  }
  prompt.n_frozen = prompt.tokens.size();
  if (!pack.typed.empty()) {
    const Segment typed = encode(pack.typed);
    prompt.tokens.insert(prompt.tokens.end(), typed->begin(), typed->end());
  }
  return prompt;
}

std::vector<TokenId> PromptWriter::stop_tokens() const {
  const SpecialTokens& special = tokenizer_.vocabulary().special();
  std::vector<TokenId> stops;
  for (const TokenId token : {special.fim_pre,
                              special.fim_suf,
                              special.fim_mid,
                              special.fim_pad,
                              special.fim_rep,
                              special.fim_sep}) {
    if (token != kNoToken) stops.push_back(token);
  }
  return stops;
}

}  // namespace kinglet::daemon
