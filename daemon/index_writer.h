// Writing an index and its store, off the protocol thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "daemon/base/result.h"
#include "indexer/index.h"
#include "indexer/store.h"

namespace kinglet::daemon {

/// What a process with all its indexes may take; what is beyond goes into nameless files.
struct IndexMemory {
  std::uint64_t limit = UINT64_MAX;  // bytes
  std::filesystem::path folder;      // on a disk; empty: nothing is moved
};

/// The one thread on which all indexes of a daemon are written, and the store that it alone uses.
class IndexThread {
 public:
  /// Callbacks are posted to `protocol`. `store` without a file: nothing is kept.
  IndexThread(boost::asio::any_io_executor protocol,
              indexer::StoreOptions store,
              IndexMemory memory = {});
  IndexThread(const IndexThread&) = delete;
  IndexThread& operator=(const IndexThread&) = delete;
  /// Waits for the job that runs; those that wait are forgotten.
  ~IndexThread();

  void post(std::function<void(indexer::Store&)> job);
  const boost::asio::any_io_executor& protocol() const { return protocol_; }
  /// Whether there is a store, or was one.
  bool keeps() const { return keeps_; }

  /// An index whose memory counts, as long as it lives.
  void add(std::weak_ptr<indexer::Index> index);
  /// Gives back what the jobs so far took and need no more.
  void trim();
  /// Stops looking at the memory; jobs are done as before.
  void shut_down();
  std::size_t max_segment_bytes() const;

 private:
  void hold_limit();
  void look_again();

  boost::asio::any_io_executor protocol_;
  IndexMemory memory_;
  boost::asio::steady_timer next_look_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>();  // for what waits
  // Of thread_:
  std::vector<std::weak_ptr<indexer::Index>> indexes_;
  std::chrono::steady_clock::time_point no_files_until_, trimmed_;
  // Of the protocol thread:
  bool is_shut_down_ = false;
  bool keeps_ = false;
  std::shared_ptr<indexer::Store> store_;  // used on thread_ alone; opened by its first job
  boost::asio::thread_pool thread_{1};
};

/// What the store knows of a root.
struct KeptFiles {
  std::vector<indexer::StoredFile> files;  // by path
  bool has_records = false;                // of whatever root
};

/// What became of a file.
struct FileUpdate {
  std::string path;
  std::string record;         // as a worker sent it; not checked yet
  std::string left_out;       // instead of a record: why its content is not indexed
  indexer::ContentHash hash;  // of its content, where it is left out
  std::uint64_t stamp = 0;    // 0: nothing is kept of the file but its record
  bool is_ours = true;        // parsed by this very program: the record may be kept
};

/// One repository's index. For the protocol thread; snapshot() is for any. Calls return at once and
/// take effect in their order; callbacks come in that order, too, and not once this is gone.
class IndexWriter {
 public:
  /// `thread` outlives this.
  IndexWriter(IndexThread& thread, std::string root);
  IndexWriter(const IndexWriter&) = delete;
  IndexWriter& operator=(const IndexWriter&) = delete;
  ~IndexWriter();

  indexer::Snapshot snapshot() const { return state_->index.snapshot(); }
  bool keeps() const { return thread_.keeps(); }

  void load(std::function<void(KeptFiles)> on_done);
  /// Takes the records of these contents from the store into the index; calls back with those that
  /// it does not have. `note`: the files are new to the store, it is to keep their stamps, too.
  enum class Note : std::uint8_t { kNo, kYes };
  void recall(std::vector<indexer::StoredFile> files,
              Note note,
              std::function<void(std::vector<std::string> missing)> on_done);
  /// Puts records into the index and the store. Calls back with the paths whose records were not
  /// what a worker may send; they are not in the index then.
  using Failures = std::vector<std::pair<std::string, Error>>;
  void put(std::vector<FileUpdate> updates, std::function<void(Failures)> on_done);
  void remove(std::vector<std::string> paths, std::function<void()> on_done);

 private:
  struct State {
    State(std::string of_root, std::size_t max_segment_bytes)
        : root(std::move(of_root)), index(max_segment_bytes) {}

    std::string root;
    indexer::Index index;
    // Of the protocol thread:
    bool is_gone = false;
  };
  template <class Job, class OnDone>
  void post(Job job, OnDone on_done);

  IndexThread& thread_;
  std::shared_ptr<State> state_;
};

}  // namespace kinglet::daemon
