// One indexed repository: its root, its index, and how far indexing has come. Shared by all
// sessions that have it open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config.h"
#include "daemon/history_reader.h"
#include "daemon/index_writer.h"
#include "daemon/processes/parse_client.h"
#include "daemon/repository_status.h"
#include "daemon/repository_watch.h"
#include "indexer/index.h"

namespace kinglet::daemon {

/// Which files of a root are indexed.
struct IndexLimits {
  std::uint64_t max_file_bytes = 0;
  std::uint64_t max_files = 0;
  std::vector<std::string> exclude;
  friend bool operator==(const IndexLimits&, const IndexLimits&) = default;
};
IndexLimits limits_of(const Config& config);

/// For the protocol thread; snapshot() is for any.
///
/// The index is filled by parse workers, and from the store where that knows what a file held: an
/// unchanged stamp (ScannedFile::stamp) needs no reading, a known content no parsing. What workers
/// send is checked before it is believed. Indexing never fails as a whole because of a file.
class Repository : public std::enable_shared_from_this<Repository> {
 public:
  /// Called after changes of status(): of its state, of the whole percent done.
  using Listener = std::function<void(const Repository&)>;

  /// `root` is absolute. `parser` and `thread` outlive the repository.
  Repository(std::filesystem::path root,
             const Config& config,
             ParseClient& parser,
             IndexThread& thread);
  Repository(const Repository&) = delete;
  Repository& operator=(const Repository&) = delete;
  ~Repository();

  const std::filesystem::path& root() const { return root_; }
  const IndexLimits& limits() const { return limits_; }
  /// The root's folder name: what the model is told.
  std::string name() const;
  /// The path below the root with '/' between, if `path` is below it.
  std::optional<std::string> relative(const std::filesystem::path& path) const;

  /// Brings the index up to the files on disk: a scan, then every new or changed file. While one
  /// runs, a further call makes it run once more afterwards.
  void refresh();
  /// The same for one file, which may be gone, at once.
  void refresh_file(const std::string& path);
  /// This file goes before others that wait: somebody looks at it.
  void prefer(const std::string& path);
  /// Looks for changes by itself for as long as the handle lives; the repository outlives that.
  [[nodiscard]] std::shared_ptr<void> keep_watched();
  /// How it does (RepositoryWatch::how()); empty: it does not.
  std::string watched_how() const;
  /// Whether the last scan left the path out, by itself or with a folder above it.
  bool is_left_out(const std::string& path) const;
  /// Why the path is not in the index, as far as is known: a reason, or what its parser said.
  std::string why_not(const std::string& path) const;
  /// Folders that the last scan looked into, by path; "" is the root.
  const std::vector<std::string>& folders() const { return folders_; }

  indexer::Snapshot snapshot() const { return writer_.snapshot(); }
  /// What changed together, as the git history told when a scan ended last. Never null.
  std::shared_ptr<const indexer::ChangeHistory> history() const { return history_.latest(); }
  bool is_reading_history() const { return history_.is_reading(); }
  const RepositoryStatus& status() const { return status_; }
  bool is_settled() const {
    return status_.state == RepositoryState::kReady || status_.state == RepositoryState::kFailed;
  }
  /// Listens for as long as the returned handle lives.
  [[nodiscard]] std::shared_ptr<void> listen(Listener listener);
  /// The same for the ends of is_reading_history().
  [[nodiscard]] std::shared_ptr<void> listen_to_history(Listener listener);

 private:
  struct Waiting {
    std::string path;
    std::uint64_t stamp = 0;  // as it was found; 0: not known
    std::uint64_t n_bytes = 0;
  };

  std::string left_out_reason(const std::string& path) const;
  void scanned();
  /// Sorts what was found into the files to recall and those to read.
  void compare(FoundFiles& found);
  void advance();
  void hash_next();
  void hashed(std::vector<Waiting> files, Result<wire::Hashed> answer);
  void recall(std::vector<indexer::StoredFile> files, IndexWriter::Note note);
  void parse(Waiting file, Urgency urgency);
  void parsed(const Waiting& file, Urgency urgency, Result<wire::Parsed> answer);
  void flush();
  void failed(const std::string& path, const Error& error);
  /// Files that are no more.
  void remove(std::vector<std::string> paths);
  /// Files without a record from now on.
  void take_out(std::vector<std::string> paths);
  void set_left_out(const std::string& path, const std::string& reason);
  void set_failed(const std::string& path, const std::string& message);
  /// Nobody works on the path any more. If it changed meanwhile, it is read again.
  void release(const std::string& path, std::uint64_t stamp);
  void settle(RepositoryState state);
  void tell(bool always = true);

  std::filesystem::path root_;
  IndexLimits limits_;
  std::size_t n_at_once_;
  ParseClient& parser_;
  IndexThread& thread_;
  std::stop_source stop_;
  IndexWriter writer_;
  HistoryReader history_;

  // What the store knew of this root, until the first scan; `has_records`: asking it is worth
  // while.
  std::optional<KeptFiles> kept_;
  bool has_records_ = false;
  std::optional<Result<FoundFiles>> found_;

  // Stamps of the files that the index is right for, left-out contents included; 0: to be read.
  std::map<std::string, std::uint64_t> known_;
  std::map<std::string, std::string> left_out_contents_;  // reasons, by path
  std::map<std::string, std::string> failed_;             // messages, by path
  std::map<std::string, std::string>
      left_out_;  // the last scan's reasons, by path ('/' for folders)
  std::vector<std::string> folders_;
  std::set<std::string> preferred_;
  std::set<std::string> touched_;  // changed since the scan began: it does not know better

  std::vector<Waiting> to_hash_;      // the next one last
  std::vector<Waiting> to_parse_;     // the next one last
  std::map<std::string, bool> busy_;  // paths that are worked on; true: it changed meanwhile
  std::vector<FileUpdate> batch_;
  std::size_t n_parsing_ = 0;
  std::size_t n_hashing_ = 0;
  std::size_t n_writing_ = 0;  // calls of writer_ that are not done
  bool again_ = false;
  std::int64_t started_ns_ = 0;
  std::size_t told_ = 0;  // the percentage told last
  RepositoryStatus status_;
  using Listeners = std::vector<std::weak_ptr<Listener>>;
  void call(Listeners& listeners) const;
  Listeners listeners_;
  Listeners history_listeners_;
  std::weak_ptr<RepositoryWatch> watch_;
};

}  // namespace kinglet::daemon
