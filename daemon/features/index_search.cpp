#include "daemon/features/index_search.h"

#include <algorithm>
#include <string>
#include <utility>

#include "indexer/find_files.h"
#include "indexer/scan.h"
#include "indexer/text_search.h"
#include "lsp/uri.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

constexpr std::uint32_t kDefaultLimit = 1000;
constexpr std::uint32_t kMaxLimit = 100'000;
constexpr std::size_t kMaxShownBytes = 400;
constexpr std::size_t kMaxProblems = 20;
constexpr std::size_t kPageBytes = std::size_t{4} << 20;
constexpr std::size_t kLeastDumped = 200;  // files

// The part of a line that is shown: a minified file has lines of megabytes.
std::string shown(std::string_view line, std::size_t at) {
  const std::size_t begin = at > kMaxShownBytes / 2 ? at - kMaxShownBytes / 2 : 0;
  return std::string(line.size() <= kMaxShownBytes ? line : line.substr(begin, kMaxShownBytes));
}

// All matches in one file.
Result<bool> search_text(const indexer::TextPattern& pattern,
                         const std::string& uri,
                         const std::string& path,
                         std::string_view text,
                         std::size_t limit,
                         Json& matches) {
  std::size_t line = 1;
  std::size_t line_begin = 0;
  bool is_full = false;
  const auto visit = [&](ByteRange range) {
    if (matches.size() >= limit) {
      is_full = true;
      return false;
    }
    for (std::size_t end = text.find('\n', line_begin); end < range.begin;
         end = text.find('\n', line_begin)) {
      line_begin = end + 1;
      ++line;
    }
    std::string_view whole = text.substr(line_begin, text.find('\n', line_begin) - line_begin);
    if (whole.ends_with('\r')) whole.remove_suffix(1);
    const std::size_t column = range.begin - line_begin;
    matches.push_back({{"uri", uri},
                       {"path", path},
                       {"line", line},
                       {"column", column + 1},
                       {"length", range.size()},
                       {"text", shown(whole, column)}});
    return true;
  };
  TRY(pattern.find(text, visit));
  return is_full;
}

}  // namespace

lsp::Response<Json> search_files(const std::vector<NavigatedRoot>& roots,
                                 const lsp::SearchParams& params,
                                 const std::stop_token& stop) {
  const std::size_t limit = std::min(params.limit.value_or(kDefaultLimit), kMaxLimit);
  const auto uri_of = [](const NavigatedRoot& root, const std::string& path) {
    return lsp::uri_from_path((root.root / path).string());
  };
  if (params.files) {
    Json files = Json::array();
    for (const NavigatedRoot& root : roots) {
      std::vector<std::string> paths;
      for (indexer::FileInfo& file : root.index.files())
        paths.push_back(std::move(file.path));
      for (const std::string& path : indexer::find_files(paths, params.query, limit))
        files.push_back({{"uri", uri_of(root, path)}, {"path", path}});
    }
    return Json{{"files", std::move(files)}};
  }
  auto pattern = indexer::TextPattern::compile(
      {.text = params.query, .is_regex = params.regex, .ignores_case = params.ignoreCase});
  if (!pattern) return tl::unexpected(lsp::ResponseError(pattern.error()));
  Json matches = Json::array();
  Json problems = Json::array();
  bool is_full = false;
  for (const NavigatedRoot& root : roots) {
    const auto folder = indexer::Root::open(root.root.string());
    if (!folder) return tl::unexpected(lsp::ResponseError(folder.error()));
    for (const indexer::FileInfo& file : root.index.files()) {
      if (is_full) break;
      if (stop.stop_requested())
        return lsp::fail(lsp::ResponseCode::kRequestCancelled, "cancelled");
      std::string text;
      if (const auto open = root.open.find(file.path); open != root.open.end()) {
        text = open->second->text();
      } else {
        auto read = folder->read(file.path, root.max_file_bytes);
        if (!read) continue;  // gone, or no longer what is indexed
        text = *std::move(read);
      }
      const auto full =
          search_text(*pattern, uri_of(root, file.path), file.path, text, limit, matches);
      if (full) {
        is_full = *full;
      } else if (problems.size() < kMaxProblems) {
        problems.push_back(file.path + ": " + full.error().message);
      }
    }
  }
  return Json{
      {"matches", std::move(matches)}, {"truncated", is_full}, {"problems", std::move(problems)}};
}

std::optional<Json> IndexDump::page(std::size_t number) {
  const std::lock_guard lock(mutex_);
  if (number != next_page_) return std::nullopt;
  ++next_page_;
  while (rest_.size() <= kPageBytes && !indexes_.empty()) {
    // Each time takes a pass over the index.
    const std::size_t n_files = indexes_.front().n_files();
    const std::size_t n_at_once = std::max(kLeastDumped, n_files / 32);
    rest_ += indexes_.front().dump(next_file_, n_at_once);
    next_file_ += n_at_once;
    if (next_file_ < n_files) continue;
    indexes_.erase(indexes_.begin());
    next_file_ = 0;
  }
  const std::size_t end = rest_.find('\n', std::min(kPageBytes, rest_.size()));
  std::string text = rest_.substr(0, end == std::string::npos ? end : end + 1);
  rest_.erase(0, text.size());
  const bool is_last = rest_.empty() && indexes_.empty();
  return Json{{"text", std::move(text)}, {"last", is_last}};
}

}  // namespace kinglet::daemon
