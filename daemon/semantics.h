// Semantics of one repository's C and C++: which units are parsed when, and what they said.
//
//   the index proposes files ──▶ plan: which of them have compile commands
//   open files, then all units, one at a time ──▶ SemanticIndex ──▶ features
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/processes/clang_client.h"
#include "indexer/clang/semantic_index.h"

namespace kinglet::daemon {

/// config.json's "clang".
enum class ClangUse : std::uint8_t {
  kOff,
  kOpenFiles,  // only what somebody has open, a header by a unit that includes it
  kAll,        // and, in the background, every unit with a compile command
};

struct SemanticsStatus {
  ClangUse use = ClangUse::kOpenFiles;
  std::size_t n_units = 0;    // with a compile command
  std::size_t n_waiting = 0;  // of all that is to be parsed
  std::size_t n_failed = 0;
  std::vector<std::string> problems;  // for people; of databases and units, the first ones
  double seconds = 0;                 // of the workers' processor time
  indexer::clang::SemanticStats index;
};

/// For the protocol thread; records are unpacked on `pool`.
class Semantics : public std::enable_shared_from_this<Semantics> {
 public:
  /// `root` is absolute. `client` outlives this; `protocol` runs the thread this belongs to.
  Semantics(std::string root,
            ClangUse use,
            ClangClient& client,
            boost::asio::any_io_executor protocol,
            boost::asio::any_io_executor pool);
  Semantics(const Semantics&) = delete;
  Semantics& operator=(const Semantics&) = delete;
  ~Semantics();

  /// The repository's files are known (all of them; others than C and C++ are passed over), or
  /// compile commands have changed: asks which are units, and parses those that it has not parsed.
  void set_files(std::vector<std::string> paths);
  /// A file's content on disk has changed, or it is gone: the units that include it are parsed
  /// again.
  void file_changed(const std::string& path);

  /// Who shows a file: one address for each session.
  using Viewer = const void*;
  /// While a document goes on changing it is not parsed: a unit takes a second, a key less.
  static constexpr std::chrono::milliseconds kTypingPause{400};

  /// An editor shows the file, with this text; parsed before what waits, a changed text when it has
  /// not changed again for kTypingPause. For a header the unit that includes it is parsed. Of
  /// several texts that come while it waits, and of several viewers', the last one counts.
  void show(const std::string& path, std::string text, Viewer viewer = nullptr);
  void hide(const std::string& path, Viewer viewer = nullptr);

  /// Nothing: no record of exactly that text. Fast; never parses.
  std::optional<indexer::clang::SemanticAnswer> find(const std::string& path,
                                                     const indexer::ContentHash& hash,
                                                     std::uint32_t offset) const {
    return index_->find(path, hash, offset);
  }
  const indexer::clang::SemanticIndex& index() const { return *index_; }
  /// The same, for other threads.
  std::shared_ptr<const indexer::clang::SemanticIndex> share_index() const { return index_; }

  /// Calls back, later and once: when nothing that concerns the file waits or is being parsed, or
  /// after `patience`.
  void when_parsed(const std::string& path,
                   std::chrono::milliseconds patience,
                   std::function<void()> on_done);

  /// Whether hover() will likely answer about this text within `time`: its unit was parsed in less
  /// before, and nothing else is to be done.
  bool hovers_within(const std::string& path,
                     std::string_view text,
                     std::chrono::milliseconds time) const;
  /// Parses the file as it is shown: takes as long as that takes.
  void hover(const std::string& path,
             std::uint32_t offset,
             std::stop_token stop,
             std::function<void(Result<wire::ClangHovered>)> on_done);

  /// Called after every record that came in, and when nothing waits any more.
  std::function<void()> on_change;

  /// What libclang could not do about the file, which is answered by syntax then; empty: nothing.
  std::string problem_of(const std::string& path) const;
  SemanticsStatus status() const;
  bool is_settled() const {
    return !is_planning_ && !in_flight_ && queue_.empty() && typed_.empty();
  }

 private:
  struct Task {
    std::string unit;  // main file
    bool is_shown = false;
    bool is_changed = false;  // its headers' functions are parsed again, too
  };

  struct Shown {
    std::string text;
    std::set<Viewer> viewers;
  };
  struct Waiter;

  void planned(Result<wire::ClangPlanned> answer);
  void enqueue(Task task);
  void next();
  void indexed(Result<wire::ClangIndexed> answer);
  void finish(Result<void> done);
  void note(std::string problem);
  void typed();
  bool is_waiting(const std::string& path) const;
  void tell_waiters();
  std::string unit_for(const std::string& path) const;
  std::optional<std::string> likely_unit_for(const std::string& header) const;
  std::vector<wire::UnsavedFile> shown_files() const;

  std::string root_;
  ClangUse use_;
  ClangClient& client_;
  std::stop_source stop_;
  boost::asio::any_io_executor protocol_;
  boost::asio::any_io_executor pool_;
  std::shared_ptr<indexer::clang::SemanticIndex> index_;
  std::set<std::string> units_;               // with a compile command
  std::set<std::string> sources_;             // all that are no headers
  std::map<std::string, double> seconds_of_;  // the last parse, by unit
  std::map<std::string, Shown> shown_;
  std::set<std::string> typed_;  // shown, and changed a moment ago
  boost::asio::steady_timer typing_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::deque<Task> queue_;
  std::optional<Task> in_flight_;
  bool is_planning_ = false;
  std::optional<std::vector<std::string>> files_to_plan_;
  std::size_t n_failed_ = 0;
  std::vector<std::string> problems_;
  std::map<std::string, std::string> failed_;  // by unit
  double seconds_ = 0;
};

}  // namespace kinglet::daemon
