// A repository that changes, and its index that keeps up: after every step the index must be what a
// fresh one is.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/index_writer.h"
#include "daemon/processes/parse_client.h"
#include "daemon/repository.h"
#include "tests/support/temporary_folder.h"

namespace kinglet::test {

/// What a daemon has of one repository, without sessions. Real parse workers.
class IndexWorld {
 public:
  /// `store`: the file to keep records in; empty: none.
  IndexWorld(const std::filesystem::path& root,
             const std::filesystem::path& store,
             daemon::IndexMemory memory = {},
             std::chrono::milliseconds file_deadline = std::chrono::seconds(10));
  IndexWorld(const IndexWorld&) = delete;
  IndexWorld& operator=(const IndexWorld&) = delete;
  ~IndexWorld();

  daemon::Repository& repository() { return *repository_; }
  daemon::ParseClient& parser() { return parser_; }
  daemon::IndexThread& thread() { return *thread_; }
  /// Runs until the condition holds; throws after a minute.
  void run_until(const std::string& what, const std::function<bool()>& condition);
  /// A refresh to its end.
  void refresh();
  std::string dump() { return repository_->snapshot().dump(); }

 private:
  boost::asio::io_context io_{1};
  daemon::ParseClient parser_;
  std::unique_ptr<daemon::IndexThread> thread_;
  std::shared_ptr<daemon::Repository> repository_;
};

/// The dump of a fresh index without a store.
std::string fresh_dump(const std::filesystem::path& root);

/// Where two dumps part, for people; empty when they are the same.
std::string difference(const std::string& a, const std::string& b);

/// A git repository with some files in folders, branches, and rules, and seeded changes to it.
class ChangingTree {
 public:
  ChangingTree(std::filesystem::path root, std::uint64_t seed, std::size_t n_files = 24);

  /// One of: edits, new files, deletions, renames of files and folders, switched branches, commits,
  /// .gitignore, rewritten files of the same length and time. Its name.
  std::string step();
  void write(const std::string& path, const std::string& text);
  std::string source();
  std::mt19937_64& random() { return random_; }
  std::size_t below(std::size_t limit) { return random_() % limit; }
  void git(const std::string& arguments) const;

 private:
  std::vector<std::string> files() const;
  std::string some_file();
  std::string new_path();

  std::filesystem::path root_;
  std::mt19937_64 random_;
  std::vector<std::string> branches_ = {"main"};
};

}  // namespace kinglet::test
