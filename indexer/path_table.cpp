#include "indexer/path_table.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace kinglet::indexer {
namespace {

bool ends_with_path(std::string_view path, std::string_view suffix) {
  return path.ends_with(suffix) &&
         (path.size() == suffix.size() || path[path.size() - suffix.size() - 1] == '/');
}

}  // namespace

PathTable::PathTable(std::vector<std::string> paths) : paths_(std::move(paths)) {
  by_name_.resize(paths_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  by_folder_ = by_name_;
  std::sort(by_name_.begin(), by_name_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(last_of(paths_[a]), a) < std::tuple(last_of(paths_[b]), b);
  });
  std::sort(by_folder_.begin(), by_folder_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(folder_of(paths_[a]), a) < std::tuple(folder_of(paths_[b]), b);
  });
  for (std::uint32_t i = 0; i < by_folder_.size(); ++i) {
    const std::string_view folder = folder_of(paths_[by_folder_[i]]);
    if (folders_.empty() || folders_.back().path != folder) folders_.push_back({folder, i, 0});
    ++folders_.back().count;
  }
  folders_by_end_.resize(folders_.size());
  std::iota(folders_by_end_.begin(), folders_by_end_.end(), 0U);
  std::sort(folders_by_end_.begin(), folders_by_end_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(last_of(folders_[a].path), a) < std::tuple(last_of(folders_[b].path), b);
  });
}

std::optional<std::uint32_t> PathTable::find(std::string_view path) const {
  const auto at = std::lower_bound(paths_.begin(), paths_.end(), path);
  if (at == paths_.end() || *at != path) return std::nullopt;
  return static_cast<std::uint32_t>(at - paths_.begin());
}

std::vector<std::uint32_t> PathTable::ending_with(std::string_view suffix,
                                                  std::size_t limit) const {
  const std::string_view name = last_of(suffix);
  std::vector<std::uint32_t> files;
  auto at = std::lower_bound(
      by_name_.begin(), by_name_.end(), name, [&](std::uint32_t file, std::string_view wanted) {
        return last_of(paths_[file]) < wanted;
      });
  for (; at != by_name_.end() && last_of(paths_[*at]) == name && files.size() < limit; ++at) {
    if (ends_with_path(paths_[*at], suffix)) files.push_back(*at);
  }
  return files;
}

std::span<const std::uint32_t> PathTable::files_in(std::string_view folder) const {
  const auto at = std::lower_bound(
      folders_.begin(), folders_.end(), folder, [](const Folder& a, std::string_view wanted) {
        return a.path < wanted;
      });
  if (at == folders_.end() || at->path != folder) return {};
  return std::span(by_folder_).subspan(at->first, at->count);
}

std::vector<std::string_view> PathTable::folders_ending_with(std::string_view suffix,
                                                             std::size_t limit) const {
  const std::string_view name = last_of(suffix);
  std::vector<std::string_view> found;
  auto at = std::lower_bound(folders_by_end_.begin(),
                             folders_by_end_.end(),
                             name,
                             [&](std::uint32_t folder, std::string_view wanted) {
                               return last_of(folders_[folder].path) < wanted;
                             });
  for (; at != folders_by_end_.end() && found.size() < limit; ++at) {
    const std::string_view path = folders_[*at].path;
    if (last_of(path) != name) break;
    if (ends_with_path(path, suffix)) found.push_back(path);
  }
  return found;
}

}  // namespace kinglet::indexer
