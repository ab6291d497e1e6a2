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
#include "daemon/processes/parse_client.h"
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

enum class RepositoryState : std::uint8_t { kNew, kScanning, kIndexing, kReady, kFailed };
std::string_view name_of(RepositoryState state);

struct RepositoryStatus {
  RepositoryState state = RepositoryState::kNew;
  std::size_t n_found = 0;    // files that the scan chose
  std::size_t n_done = 0;     // of these, parsed, left out by their content, or failed
  std::size_t n_failed = 0;   // files without a record: `problems` tells the first ones
  std::size_t n_changed = 0;  // files read because they were new or had changed
  std::map<std::string, std::size_t> left_out;  // paths, by reason
  std::vector<std::string> problems;            // "path: what happened"
  std::string problem;                          // of the whole, while kFailed
  double seconds = 0;                           // from the start of the scan to kReady
};

/// For the protocol thread; snapshot() is for any.
///
/// The index is filled by parse workers; what they send is checked before it is believed. Indexing
/// never fails as a whole because of a file.
class Repository : public std::enable_shared_from_this<Repository> {
 public:
  /// Called after every change of status().
  using Listener = std::function<void(const Repository&)>;

  /// `root` is absolute. `parser` outlives the repository.
  Repository(std::filesystem::path root, const Config& config, ParseClient& parser);
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
  /// The same for one file, which may be gone.
  void refresh_file(const std::string& path);

  indexer::Snapshot snapshot() const { return index_.snapshot(); }
  const RepositoryStatus& status() const { return status_; }
  bool is_settled() const {
    return status_.state == RepositoryState::kReady || status_.state == RepositoryState::kFailed;
  }
  /// Listens for as long as the returned handle lives.
  [[nodiscard]] std::shared_ptr<void> listen(Listener listener);

 private:
  // What a record in the index was made from.
  struct Stamp {
    std::uint64_t n_bytes = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  void scanned(Result<FoundFiles> found);
  void parse_next();
  void parsed(const std::string& path, Result<wire::Parsed> answer);
  void store(const std::string& path, Result<wire::Parsed> answer);
  bool is_left_out(const std::string& path) const;
  void settle(RepositoryState state);
  void tell();

  std::filesystem::path root_;
  IndexLimits limits_;
  std::size_t n_at_once_;
  ParseClient& parser_;
  std::stop_source stop_;

  indexer::Index index_;
  std::map<std::string, Stamp> indexed_;
  std::set<std::string> left_out_;  // paths of the last scan; folders end with '/'
  std::vector<std::pair<std::string, indexer::FileRecord>> batch_;
  std::vector<std::string> queue_;  // files to parse, the next one last
  std::size_t n_in_flight_ = 0;
  bool again_ = false;
  std::int64_t started_ns_ = 0;
  RepositoryStatus status_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace kinglet::daemon
