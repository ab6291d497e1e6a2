#include <algorithm>
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
// … and this part to be packed itself: noise hurts more than it helps.
constexpr float kMinShareOfClose = 0.3F;
constexpr std::uint32_t kMinMatched = 3;
constexpr double kMaxOverlap = 0.75;  // Jaccard, of the names of two chunks
constexpr std::size_t kMaxDetailNames = 6;

using Names = std::vector<std::string_view>;  // sorted

Names names_in(std::string_view text) {
  Names names;
  for_each_identifier(text, [&](std::size_t, std::string_view word) { names.push_back(word); });
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// By Jaccard's index.
bool are_alike(const Names& a, const Names& b) {
  const auto [fewer, more] = std::minmax(a.size(), b.size());
  if (static_cast<double>(fewer) <= kMaxOverlap * static_cast<double>(more)) return false;
  std::size_t n_common = 0;
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
    const int order = left->compare(*right);
    n_common += order == 0 ? 1 : 0;
    if (order <= 0) ++left;
    if (order >= 0) ++right;
  }
  return static_cast<double>(n_common) >
         kMaxOverlap * static_cast<double>(a.size() + b.size() - n_common);
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
  const std::vector<ChunkHit> hits = index.search(query);
  if (hits.empty()) return {};

  const auto n_needed =
      std::min<std::uint32_t>(kMinMatched, static_cast<std::uint32_t>(query.terms.size()));
  std::map<std::string, std::optional<std::string>> texts;
  // The chunk's text, if the file still has it where it was.
  const auto text_of = [&](const ChunkHit& hit) -> std::optional<std::string> {
    std::string_view text;
    if (hit.path == request.path) {
      // Above the line only: what lies below has moved since it was indexed.
      text = request.before;
    } else {
      auto [entry, is_new] = texts.try_emplace(hit.path);
      if (is_new) entry->second = request.read_text(hit.path);
      if (!entry->second) return std::nullopt;
      text = *entry->second;
    }
    if (hit.range.end > text.size() || hit.range.begin >= hit.range.end) return std::nullopt;
    const std::string_view chunk = hit.range.of(text);
    if (hash_chunk(chunk) != hit.hash) return std::nullopt;
    return std::string(chunk);
  };
  const auto first_line_of = [&](const ChunkHit& hit) {
    const std::string_view text =
        hit.path == request.path ? request.before : std::string_view(*texts[hit.path]);
    return static_cast<std::uint32_t>(
        1 + std::count(
                text.begin(), text.begin() + static_cast<std::ptrdiff_t>(hit.range.begin), '\n'));
  };

  std::vector<SimilarCandidate> candidates;
  candidates.reserve(hits.size());  // views of the texts are kept below
  std::vector<Names> taken;
  for (const ChunkHit& hit : hits) {
    const bool is_noise =
        hit.score < kMinShareOfBest * hits.front().score || hit.n_matched < n_needed;
    const bool is_shown = hit.path == request.path && hit.range.overlaps(request.window);
    auto text = is_noise || is_shown ? std::nullopt : text_of(hit);
    if (!text) {
      ++n_dropped;
      continue;
    }
    candidates.push_back({hit, *std::move(text), 0, {}, false});
    SimilarCandidate& candidate = candidates.back();
    if (hit.score < kMinShareOfClose * hits.front().score) continue;
    Names words = names_in(candidate.text);
    const bool is_duplicate = std::any_of(
        taken.begin(), taken.end(), [&](const Names& other) { return are_alike(words, other); });
    if (is_duplicate) {
      ++n_dropped;
      candidates.pop_back();
      continue;
    }
    std::size_t n_listed = 0;
    for (const NearName& name : names) {
      if (n_listed == kMaxDetailNames) break;
      if (!std::ranges::binary_search(words, std::string_view(name.name))) continue;
      candidate.detail += (n_listed++ == 0 ? "" : " ") + name.name;
    }
    candidate.first_line = first_line_of(hit);
    candidate.is_close = true;
    taken.push_back(std::move(words));
  }
  return candidates;
}

}  // namespace kinglet::indexer
