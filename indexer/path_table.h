// The paths of an index's files, to be looked up by their ends and by their folders: imports name
// files by pieces of paths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::indexer {

/// "a/b/c.h" → "a/b"; "" for a file at the root.
inline std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}
/// "a/b/c.h" → "c.h"
inline std::string_view last_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}
/// "a/b/c.test.h" → "c.test"
inline std::string_view stem_of(std::string_view path) {
  const std::string_view name = last_of(path);
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? name : name.substr(0, dot);
}

/// Immutable; safe on several threads. Files are named by their place in the sorted paths.
class PathTable {
 public:
  struct Folder {
    std::string_view path;    // "" is the root
    std::uint32_t first = 0;  // into the table's files by folder
    std::uint32_t count = 0;
  };

  PathTable() = default;
  /// `paths` are sorted bytewise and unique.
  explicit PathTable(std::vector<std::string> paths);
  // Views into paths_ move with it, but are not copied.
  PathTable(PathTable&&) noexcept = default;
  PathTable& operator=(PathTable&&) noexcept = default;
  PathTable(const PathTable&) = delete;
  PathTable& operator=(const PathTable&) = delete;

  std::size_t size() const { return paths_.size(); }
  std::string_view operator[](std::uint32_t file) const { return paths_[file]; }
  std::span<const std::string> all() const { return paths_; }
  std::optional<std::uint32_t> find(std::string_view path) const;

  /// Files whose path is `suffix` or ends with '/' and it, ascending. At most `limit`.
  std::vector<std::uint32_t> ending_with(std::string_view suffix, std::size_t limit) const;
  /// Files directly in a folder, ascending; none when there is no such folder.
  std::span<const std::uint32_t> files_in(std::string_view folder) const;
  /// Folders that hold files and whose path is `suffix` or ends with '/' and it; by path.
  std::vector<std::string_view> folders_ending_with(std::string_view suffix,
                                                    std::size_t limit) const;

 private:
  std::vector<std::string> paths_;
  std::vector<std::uint32_t> by_name_;         // by last component, then path
  std::vector<std::uint32_t> by_folder_;       // by folder, then path
  std::vector<Folder> folders_;                // by path
  std::vector<std::uint32_t> folders_by_end_;  // by last component, then path
};

}  // namespace kinglet::indexer
