// Which files of a repository changed together, as its git history tells.
//
// A commit says more about each two of its files the fewer it has, and the later it is. So each
// weighs 1/n for its n files, times 100/(100 + age): of twenty such formulas this one names most of
// what the next commits of eight repositories change together. A file's share in another is the
// weight of the commits that have both over the weight of all that have the other. Nothing but
// divisions, then rounded, so that two machines find the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace kinglet::indexer {

struct HistoryOptions {
  std::string from = "HEAD";  // the newest commit, as git names commits
  /// Of those that change something below the root; merges are not among them.
  std::size_t max_commits = 1000;
  std::size_t max_files = 30;  // of a commit; one with more says nothing
  /// Of this thread's processor. What was read until then counts.
  double max_seconds = 1;
};

/// A file, and those that changed with it. Commits with too many files are left out of all numbers
/// but ages.
struct ChangedFile {
  static constexpr std::size_t kMaxOthers = 20;
  static constexpr std::uint32_t kWhole = 1 << 16;

  struct Other {
    std::uint32_t file = 0;   // in ChangeHistory::files()
    std::uint32_t share = 0;  // in this file's changes, of kWhole; above 0
    friend bool operator==(const Other&, const Other&) = default;
  };
  std::string path;             // relative to the root
  std::uint32_t n_changes = 0;  // commits
  std::uint32_t age = 0;        // commits since the last of these
  std::vector<Other> others;    // by share, then by path
  friend bool operator==(const ChangedFile&, const ChangedFile&) = default;
};

/// A file that changed in the same commits as another.
struct Companion {
  std::string_view path;  // lives as long as the history
  double share = 0;       // in the other's changes: above 0, at most 1
  friend bool operator==(const Companion&, const Companion&) = default;
};

/// Immutable. Knows the files that its newest commit has.
class ChangeHistory {
 public:
  ChangeHistory() = default;
  /// `commit`: the newest one's id. REQUIRES: files by path.
  ChangeHistory(std::string commit, std::uint32_t n_commits, std::vector<ChangedFile> files);

  const std::string& commit() const { return commit_; }
  std::uint32_t n_commits() const { return n_commits_; }
  const std::vector<ChangedFile>& files() const { return files_; }

  /// Null for a file that did not change in these commits.
  const ChangedFile* find(std::string_view path) const;
  /// At most kMaxOthers, the largest share first, of equals by path.
  std::vector<Companion> together(std::string_view path) const;

  friend bool operator==(const ChangeHistory&, const ChangeHistory&) = default;

 private:
  std::string commit_;
  std::uint32_t n_commits_ = 0;
  std::vector<ChangedFile> files_;
};

/// The history of the git repository that `root` is in, whatever its owner and the user's
/// configuration; trees are compared, nothing else is read and nothing is run. A parent that is not
/// there (a shallow clone) ends its line of history, a commit that cannot be read is left out.
/// Errors: kNotFound (no repository, no work tree, no commit), kCorrupt, kCancelled.
Result<ChangeHistory> read_history(const std::string& root,
                                   const HistoryOptions& options = {},
                                   const std::stop_token& stop = {});

/// The id of the commit at HEAD: whether it moved is found without reading a history. Errors as
/// those of read_history().
Result<std::string> head_commit(const std::string& root);

/// Bytes for one program talking to itself.
std::string serialize(const ChangeHistory& history);
/// Checks all that the types above promise. Errors: kCorrupt.
Result<ChangeHistory> deserialize_history(std::string_view bytes);

}  // namespace kinglet::indexer
