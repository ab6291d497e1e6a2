#include "inference/tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "inference/tokenizer/kinds.h"

namespace kinglet::inference {
namespace {

// A serialized vocabulary, little-endian:
//
//   u32 magic, u32 version, u32 tokenizer kind, u32 flags (1 bos, 2 eos, 4 space prefix),
//   u32 n_tokens, u32 n_end_of_generation, u32 n_text_bytes, i32 special[10] (as declared),
//   u32 pre-tokenizer, u32 n_strip_after, u32 n_merges,
//   u32 start[n_tokens + 1], f32 score[n_tokens], i32 end_of_generation[], i32 strip_after[],
//   i32 merge[n_merges][2], u8 kind[n_tokens], text bytes
//
// The version also counts changes of the tokenizers themselves: it is part of hash(), by which
// counted tokens are kept.
constexpr std::uint32_t kMagic = 0x434f564b;  // "KVOC"
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kAddBos = 1;
constexpr std::uint32_t kAddEos = 2;
constexpr std::uint32_t kAddSpacePrefix = 4;

static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(SpecialTokens) == 10 * sizeof(TokenId));
static_assert(std::is_trivially_copyable_v<SpecialTokens>);
static_assert(sizeof(Merge) == 2 * sizeof(TokenId));

template <class T>
void append(std::vector<std::byte>& out, std::span<const T> numbers) {
  const auto bytes = std::as_bytes(numbers);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
void append(std::vector<std::byte>& out, const T& number) {
  append(out, std::span<const T>(&number, 1));
}

/// Takes numbers off the front of untrusted bytes; after the first that is missing, nothing more.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  bool read(T& number) {
    return copy(&number, sizeof(T));
  }
  template <class T>
  bool read(std::vector<T>& numbers, std::size_t n) {
    if (n > bytes_.size() / sizeof(T)) return false;
    numbers.resize(n);
    return copy(numbers.data(), n * sizeof(T));
  }
  std::span<const std::byte> rest() const { return bytes_; }

 private:
  bool copy(void* to, std::size_t n) {
    if (n > bytes_.size()) return false;
    if (n > 0) std::memcpy(to, bytes_.data(), n);
    bytes_ = bytes_.subspan(n);
    return true;
  }

  std::span<const std::byte> bytes_;
};

bool is_kind(TokenKind kind) {
  return kind >= TokenKind::kNormal && kind <= TokenKind::kByte;
}

tl::unexpected<Error> corrupt(const std::string& what) {
  return fail(ErrorCode::kCorrupt, what);
}

Result<void> check_arrays(const VocabularyParts& parts) {
  const std::size_t n = parts.texts.size();
  if (n == 0 || n > Vocabulary::kMaxTokens) {
    return corrupt("it has " + std::to_string(n) + " tokens; 1 to " +
                   std::to_string(Vocabulary::kMaxTokens) + " are possible");
  }
  if (parts.scores.size() != n || parts.kinds.size() != n) {
    return corrupt("it has " + std::to_string(n) + " tokens, but " +
                   std::to_string(parts.scores.size()) + " scores and " +
                   std::to_string(parts.kinds.size()) + " kinds");
  }
  for (std::size_t i = 0; i < n; ++i) {
    const std::string token = "token " + std::to_string(i);
    if (parts.texts[i].size() > Vocabulary::kMaxTokenBytes) {
      return corrupt(token + " has " + std::to_string(parts.texts[i].size()) + " bytes; at most " +
                     std::to_string(Vocabulary::kMaxTokenBytes) + " are possible");
    }
    if (std::isnan(parts.scores[i])) return corrupt(token + " has a score that is no number");
    if (!is_kind(parts.kinds[i])) {
      return corrupt(token + " has kind " + std::to_string(static_cast<int>(parts.kinds[i])) +
                     "; 1 to 6 exist");
    }
  }
  return {};
}

std::vector<std::pair<const char*, TokenId>> named(const SpecialTokens& special) {
  return {{"bos", special.bos},
          {"eos", special.eos},
          {"unknown", special.unknown},
          {"padding", special.padding},
          {"fim_pre", special.fim_pre},
          {"fim_suf", special.fim_suf},
          {"fim_mid", special.fim_mid},
          {"fim_pad", special.fim_pad},
          {"fim_rep", special.fim_rep},
          {"fim_sep", special.fim_sep}};
}

}  // namespace

Result<Vocabulary> Vocabulary::create(const VocabularyParts& parts) {
  const TokenizerKindRow* row = find_tokenizer_kind(parts.tokenizer);
  if (row == nullptr) return fail(ErrorCode::kUnsupported, "its tokenizer is of no kind we have");
  TRY(check_arrays(parts));

  Vocabulary vocabulary;
  vocabulary.tokenizer_ = parts.tokenizer;
  vocabulary.scores_ = parts.scores;
  vocabulary.kinds_ = parts.kinds;
  vocabulary.special_ = parts.special;
  vocabulary.add_bos_ = parts.add_bos;
  vocabulary.add_eos_ = parts.add_eos;
  vocabulary.add_space_prefix_ = parts.add_space_prefix;
  // At most kMaxTokens * kMaxTokenBytes = 4 GiB: one less fits the offsets.
  vocabulary.starts_.reserve(parts.texts.size() + 1);
  vocabulary.starts_.push_back(0);
  for (const std::string_view text : parts.texts) {
    if (text.size() > std::numeric_limits<std::uint32_t>::max() - vocabulary.bytes_.size()) {
      return corrupt("its texts take more than 4 GiB");
    }
    vocabulary.bytes_ += text;
    vocabulary.starts_.push_back(static_cast<std::uint32_t>(vocabulary.bytes_.size()));
    vocabulary.longest_text_ = std::max(vocabulary.longest_text_, text.size());
  }
  TRY(vocabulary.index_texts());
  TRY(vocabulary.set_apart(parts.end_of_generation));
  vocabulary.strip_after_ = parts.strip_after;
  for (const TokenId id : parts.strip_after) {
    if (!vocabulary.contains(id)) {
      return corrupt("white space is taken off after its token " + std::to_string(id) +
                     ", but it has only " + std::to_string(vocabulary.size()) + " tokens");
    }
  }
  std::sort(vocabulary.strip_after_.begin(), vocabulary.strip_after_.end());
  vocabulary.pre_tokenizer_ = parts.pre_tokenizer;
  vocabulary.merges_ = parts.merges;
  TRY(vocabulary.check_merges());
  TRY(row->check(vocabulary));
  const auto serialized = vocabulary.serialize();
  vocabulary.hash_ = XXH3_64bits(serialized.data(), serialized.size());
  return vocabulary;
}

Result<void> Vocabulary::index_texts() {
  slots_.assign(std::bit_ceil(2 * size() + 1), kNoToken);
  for (TokenId id = 0; contains(id); ++id) {
    const std::string_view added = text(id);
    if (added.empty()) continue;
    std::size_t slot = XXH3_64bits(added.data(), added.size());
    for (;; ++slot) {
      TokenId& there = slots_[slot & (slots_.size() - 1)];
      if (there == kNoToken) {
        there = id;
        break;
      }
      if (text(there) == added) {
        return corrupt("tokens " + std::to_string(there) + " and " + std::to_string(id) +
                       " have the same text");
      }
    }
  }
  return {};
}

Result<void> Vocabulary::set_apart(std::span<const TokenId> end_of_generation) {
  const auto set = [this](const std::string& name, TokenId id) -> Result<void> {
    if (!contains(id)) {
      return corrupt("its " + name + " token is " + std::to_string(id) + ", but it has only " +
                     std::to_string(size()) + " tokens");
    }
    TokenKind& kind = kinds_[static_cast<std::size_t>(id)];
    if (kind == TokenKind::kByte) {
      return corrupt("its " + name + " token is " + std::to_string(id) +
                     ", which stands for a byte");
    }
    if (kind != TokenKind::kUnknown) kind = TokenKind::kControl;
    return {};
  };
  for (const auto& [name, id] : named(special_)) {
    if (id != kNoToken) TRY(set(name, id));
  }
  for (const TokenId id : end_of_generation)
    TRY(set("end of generation", id));
  auto& ends = end_of_generation_;
  ends.assign(end_of_generation.begin(), end_of_generation.end());
  if (special_.eos != kNoToken) ends.push_back(special_.eos);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return {};
}

Result<void> Vocabulary::check_merges() const {
  if (merges_.size() > 2 * kMaxTokens) {
    return corrupt("it has " + std::to_string(merges_.size()) + " merges; at most " +
                   std::to_string(2 * kMaxTokens) + " are possible");
  }
  std::string joined;
  for (std::size_t i = 0; i < merges_.size(); ++i) {
    const auto [left, right] = merges_[i];
    const std::string merge = "merge " + std::to_string(i);
    if (!contains(left) || !contains(right)) {
      return corrupt(merge + " joins tokens " + std::to_string(left) + " and " +
                     std::to_string(right) + ", but it has only " + std::to_string(size()) +
                     " tokens");
    }
    joined.assign(text(left)).append(text(right));
    if (!find(joined)) {
      return corrupt(merge + " joins tokens " + std::to_string(left) + " and " +
                     std::to_string(right) + " to a text that is no token");
    }
  }
  return {};
}

std::string_view Vocabulary::text(TokenId id) const {
  const auto i = static_cast<std::size_t>(id);
  return std::string_view(bytes_).substr(starts_[i], starts_[i + 1] - starts_[i]);
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
  if (text.empty()) return std::nullopt;
  std::size_t slot = XXH3_64bits(text.data(), text.size());
  for (;; ++slot) {
    const TokenId there = slots_[slot & (slots_.size() - 1)];
    if (there == kNoToken) return std::nullopt;
    if (this->text(there) == text) return there;
  }
}

bool Vocabulary::is_end_of_generation(TokenId id) const {
  return std::binary_search(end_of_generation_.begin(), end_of_generation_.end(), id);
}

bool Vocabulary::strips_after(TokenId id) const {
  return std::binary_search(strip_after_.begin(), strip_after_.end(), id);
}

std::vector<std::byte> Vocabulary::serialize() const {
  std::vector<std::byte> out;
  const std::uint32_t flags = (add_bos_ ? kAddBos : 0) | (add_eos_ ? kAddEos : 0) |
                              (add_space_prefix_ ? kAddSpacePrefix : 0);
  append(out, kMagic);
  append(out, kVersion);
  append(out, static_cast<std::uint32_t>(tokenizer_));
  append(out, flags);
  append(out, static_cast<std::uint32_t>(size()));
  append(out, static_cast<std::uint32_t>(end_of_generation_.size()));
  append(out, static_cast<std::uint32_t>(bytes_.size()));
  append(out, special_);
  append(out, static_cast<std::uint32_t>(pre_tokenizer_));
  append(out, static_cast<std::uint32_t>(strip_after_.size()));
  append(out, static_cast<std::uint32_t>(merges_.size()));
  append(out, std::span<const std::uint32_t>(starts_));
  append(out, std::span<const float>(scores_));
  append(out, std::span<const TokenId>(end_of_generation_));
  append(out, std::span<const TokenId>(strip_after_));
  append(out, std::span<const Merge>(merges_));
  append(out, std::span<const TokenKind>(kinds_));
  append(out, std::span<const char>(bytes_));
  return out;
}

Result<Vocabulary> Vocabulary::deserialize(std::span<const std::byte> bytes) {
  const auto bad = [] { return corrupt("a serialized vocabulary is damaged; start Kinglet anew"); };
  Reader in(bytes);
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint32_t tokenizer = 0;
  std::uint32_t flags = 0;
  std::uint32_t n_tokens = 0;
  std::uint32_t n_ends = 0;
  std::uint32_t n_text_bytes = 0;
  std::uint32_t pre_tokenizer = 0;
  std::uint32_t n_strip_after = 0;
  std::uint32_t n_merges = 0;
  VocabularyParts parts;
  std::vector<std::uint32_t> starts;
  if (!in.read(magic) || !in.read(version) || magic != kMagic) return bad();
  if (version != kVersion) {
    return fail(ErrorCode::kUnsupported,
                "a serialized vocabulary has version " + std::to_string(version) + ", not " +
                    std::to_string(kVersion) + "; start Kinglet anew");
  }
  if (!in.read(tokenizer) || tokenizer > 0xff || !in.read(flags) || flags > 7) return bad();
  if (!in.read(n_tokens) || n_tokens > kMaxTokens || !in.read(n_ends) || !in.read(n_text_bytes) ||
      !in.read(parts.special) || !in.read(pre_tokenizer) || pre_tokenizer > 0xff ||
      !in.read(n_strip_after) || !in.read(n_merges) ||
      !in.read(starts, std::size_t{n_tokens} + 1) || !in.read(parts.scores, n_tokens) ||
      !in.read(parts.end_of_generation, n_ends) || !in.read(parts.strip_after, n_strip_after) ||
      !in.read(parts.merges, n_merges) || !in.read(parts.kinds, n_tokens) ||
      in.rest().size() != n_text_bytes) {
    return bad();
  }
  const std::string_view text(reinterpret_cast<const char*>(in.rest().data()), n_text_bytes);
  if (starts.front() != 0 || starts.back() != n_text_bytes ||
      !std::is_sorted(starts.begin(), starts.end())) {
    return bad();
  }
  for (std::size_t i = 0; i < n_tokens; ++i) {
    parts.texts.push_back(text.substr(starts[i], starts[i + 1] - starts[i]));
  }
  parts.tokenizer = static_cast<TokenizerKind>(tokenizer);
  parts.pre_tokenizer = static_cast<PreTokenizer>(pre_tokenizer);
  parts.add_bos = (flags & kAddBos) != 0;
  parts.add_eos = (flags & kAddEos) != 0;
  parts.add_space_prefix = (flags & kAddSpacePrefix) != 0;
  return create(parts);
}

}  // namespace kinglet::inference
