#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "indexer/context/candidates.h"
#include "indexer/identifiers.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxTerms = 80;
constexpr std::uint32_t kMaxDistance = 40;  // lines
// A chunk needs this part of the best score, and this many names in common (fewer when the
// neighborhood has fewer).
constexpr float kMinShareOfBest = 0.15F;
constexpr std::uint32_t kMinMatched = 3;
// What a chunk's score gains where someone was lately, and in the same file.
constexpr float kRecentGain = 0.5F;
constexpr float kRecentFileGain = 0.2F;

// Line feeds, eight bytes at a time: megabytes are looked at for one prompt.
std::uint32_t count_lines(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kLow = 0x7F * kOnes;
  std::size_t n_lines = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, 8);
    bytes ^= '\n' * kOnes;
    // The high bit of each byte that is zero now; as ones they are summed up by a product.
    n_lines += ((~(((bytes & kLow) + kLow) | bytes | kLow) >> 7) * kOnes) >> 56;
  }
  return static_cast<std::uint32_t>(n_lines) +
         static_cast<std::uint32_t>(std::ranges::count(text.substr(at), '\n'));
}

bool has_one(std::string_view text, std::span<const std::string> names) {
  bool has = false;
  for_each_identifier(text, [&](std::size_t, std::string_view word) {
    has |= std::ranges::find(names, word) != names.end();
  });
  return has;
}

}  // namespace

std::vector<SimilarCandidate> similar_candidates(const Snapshot& index,
                                                 const std::vector<NearName>& names,
                                                 const SimilarRequest& request,
                                                 std::size_t& n_dropped) {
  SearchQuery query;
  query.limit = request.limit;
  std::vector<NearName> heaviest = names;
  std::stable_sort(heaviest.begin(), heaviest.end(), [](const NearName& a, const NearName& b) {
    return a.weight > b.weight;
  });
  if (heaviest.size() > kMaxTerms) heaviest.resize(kMaxTerms);
  std::erase_if(heaviest, [](const NearName& name) { return name.distance > kMaxDistance; });
  for (const NearName& name : heaviest)
    query.terms.push_back({name.name, name.weight});
  std::vector<ChunkHit> hits = index.search(query);
  if (hits.empty()) return {};
  if (request.recency != nullptr && !request.recency->empty()) {
    for (ChunkHit& hit : hits) {
      hit.score *= 1 + kRecentGain * request.recency->of(hit.path, hit.range) +
                   kRecentFileGain * request.recency->of_file(hit.path);
    }
    std::ranges::stable_sort(hits, std::greater<>(), &ChunkHit::score);
  }

  const auto n_needed =
      std::min<std::uint32_t>(kMinMatched, static_cast<std::uint32_t>(query.terms.size()));
  std::map<std::string, std::optional<std::string>> texts;
  // The file of a chunk as it is now, if the chunk still stands in it; the hit's range follows it.
  const auto file_of = [&](ChunkHit& hit) -> std::optional<std::string_view> {
    const auto holds = [&](std::string_view text) {
      return hit.range.begin < hit.range.end && hit.range.end <= text.size() &&
             hash_chunk(hit.range.of(text)) == hit.hash;
    };
    if (hit.path != request.path) {
      auto [entry, is_new] = texts.try_emplace(hit.path);
      if (is_new) entry->second = request.read_text(hit.path);
      if (!entry->second || !holds(*entry->second)) return std::nullopt;
      return *entry->second;
    }
    if (holds(request.text)) return request.text;
    // What lies below the line has moved since it was indexed, by what was typed.
    const auto own = index.file(request.path);
    if (!own || own->n_bytes < hit.range.end) return std::nullopt;
    const std::size_t n_below = own->n_bytes - hit.range.begin;
    if (n_below > request.text.size()) return std::nullopt;
    const auto begin = static_cast<std::uint32_t>(request.text.size() - n_below);
    hit.range = {begin, begin + (hit.range.end - hit.range.begin)};
    return holds(request.text) ? std::optional(request.text) : std::nullopt;
  };

  std::vector<SimilarCandidate> candidates;
  candidates.reserve(hits.size());
  std::map<const char*, std::vector<std::size_t>> in_files;  // by where their texts lie
  const float best_score = hits.front().score;
  for (ChunkHit& hit : hits) {
    const bool is_noise = hit.score < kMinShareOfBest * best_score ||
                          (hit.n_matched < n_needed && request.enclosing.empty());
    const auto file = is_noise ? std::nullopt : file_of(hit);
    const bool is_shown = hit.path == request.path && hit.range.overlaps(request.window);
    if (!file || is_shown ||
        (hit.n_matched < n_needed && !has_one(hit.range.of(*file), request.enclosing))) {
      ++n_dropped;
      continue;
    }
    candidates.push_back({.hit = hit, .text = std::string(hit.range.of(*file)), .first_line = 1});
    in_files[file->data()].push_back(candidates.size() - 1);
  }
  // Each file's lines are counted once.
  for (auto& [file, ids] : in_files) {
    std::ranges::sort(ids, {}, [&](std::size_t id) { return candidates[id].hit.range.begin; });
    std::uint32_t line = 1;
    std::size_t at = 0;
    for (const std::size_t id : ids) {
      const std::size_t begin = candidates[id].hit.range.begin;
      line += count_lines({file + at, begin - at});
      at = begin;
      candidates[id].first_line = line;
    }
  }
  return candidates;
}

}  // namespace kinglet::indexer
