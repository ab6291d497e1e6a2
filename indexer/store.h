// Records on disk, so that a restart, a switched branch or a second worktree does not parse again
// what was parsed before.
//
// The store is a cache of statements that never become wrong: "content H in language L has this
// record" and "the file at path P, when its stamp was S, had content H". Each carries a checksum
// over all of it, keys included; what fails it, or what deserialize() refuses, is not there. So
// neither a damaged page nor a lost write can make an answer wrong, only absent. Any error of
// SQLite drops the store: it is rebuilt empty once, when it was damaged, or left out for the life
// of this process, with one line for the log. Nothing here fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "indexer/record.h"
#include "indexer/record_version.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kinglet::indexer {

/// What a file was when it was read, and what came of it.
struct StoredFile {
  std::string path;         // relative to the root
  std::uint64_t stamp = 0;  // ScannedFile::stamp; never 0
  ContentHash hash;
  std::string language;
  std::string left_out;  // why its content is not indexed; empty: it has a record
  friend bool operator==(const StoredFile&, const StoredFile&) = default;
};

/// A record in the bytes of serialize().
struct StoredRecord {
  ContentHash hash;
  std::string language;
  std::string bytes;
};

/// What one transaction writes.
struct StoreBatch {
  std::string root;
  std::vector<StoredRecord> records;
  std::vector<StoredFile> files;
  std::vector<std::string> removed;  // paths without a statement from now on
};

struct StoreOptions {
  std::filesystem::path file;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  std::uint64_t version = record_version();
  std::uint32_t today = 0;  // days since any epoch: records used last are evicted last
  std::string vfs;          // of SQLite; a test's
  /// Takes the one line.
  std::function<void(std::string)> log = [](const std::string&) {};
};

/// For one thread. One process at a time: a second one finds the lock taken and does without.
class Store {
 public:
  /// A store that keeps nothing.
  Store() = default;
  explicit Store(StoreOptions options);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  bool is_open() const { return database_ != nullptr; }
  /// Whether it is worth asking for a record.
  bool has_records();

  /// The statements on a root's files, by path.
  std::vector<StoredFile> files(const std::string& root);
  /// The record of a content, checked.
  std::optional<FileRecord> find(const ContentHash& hash, std::string_view language);
  /// All of it or nothing.
  void write(const StoreBatch& batch);

 private:
  struct Statement;

  void open();
  bool set_up();
  bool is_schema_ours();
  void close();
  void remove_files() const;
  /// Drops the store after an error: a damaged one is made anew, once.
  void drop(int error, const char* doing);
  bool run(const char* sql, const char* doing);
  std::optional<std::int64_t> number(const char* sql);
  bool write_all(const StoreBatch& batch);
  std::optional<std::int64_t> root_id(const std::string& root);
  bool evict();

  StoreOptions options_;
  UniqueFd lock_;
  sqlite3* database_ = nullptr;
  bool was_rebuilt_ = false;
  bool was_logged_ = false;
  std::vector<std::int64_t> used_;  // rows whose day of use is to be written
};

}  // namespace kinglet::indexer
