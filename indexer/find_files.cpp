#include "indexer/find_files.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "indexer/fuzzy.h"
#include "indexer/path_table.h"

namespace kinglet::indexer {
namespace {

constexpr std::size_t kMaxQueryBytes = 256;

// The parts of the query in parts of the path, both in order, the last one in the file's name.
std::optional<int> score_parts(std::string_view query, std::string_view path) {
  int score = 0;
  while (true) {
    const std::size_t slash = query.rfind('/');
    const std::string_view part = query.substr(slash == std::string_view::npos ? 0 : slash + 1);
    std::optional<int> best;
    while (!best) {
      best = fuzzy_score(part, last_of(path));
      const bool is_first = score == 0;
      if (!best && (is_first || path.find('/') == std::string_view::npos)) return std::nullopt;
      if (path.find('/') == std::string_view::npos) {
        path = {};
      } else {
        path = folder_of(path);
      }
    }
    score += std::max(*best, 1);
    if (slash == std::string_view::npos) return score;
    query = query.substr(0, slash);
    if (path.empty()) return std::nullopt;
  }
}

std::optional<int> score_of(std::string_view query, std::string_view path) {
  if (query.find('/') != std::string_view::npos) return score_parts(query, path);
  if (const auto in_name = fuzzy_score(query, last_of(path))) return *in_name + 1000;
  const auto anywhere = fuzzy_score(query, path);
  return anywhere ? std::optional(*anywhere - 1000) : std::nullopt;
}

}  // namespace

std::vector<std::string> find_files(std::span<const std::string> paths,
                                    std::string_view query,
                                    std::size_t limit) {
  if (query.size() > kMaxQueryBytes) return {};
  std::string letters;
  std::ranges::copy_if(query, std::back_inserter(letters), [](char c) { return c != ' '; });
  struct Found {
    int score;
    const std::string* path;
  };
  std::vector<Found> found;
  for (const std::string& path : paths) {
    if (const auto score = score_of(letters, path)) found.push_back({*score, &path});
  }
  const auto n = static_cast<std::ptrdiff_t>(std::min(limit, found.size()));
  std::partial_sort(
      found.begin(), found.begin() + n, found.end(), [](const Found& a, const Found& b) {
        return a.score != b.score ? a.score > b.score : *a.path < *b.path;
      });
  std::vector<std::string> best;
  for (const Found& one : std::span(found).first(static_cast<std::size_t>(n)))
    best.push_back(*one.path);
  return best;
}

}  // namespace kinglet::indexer
