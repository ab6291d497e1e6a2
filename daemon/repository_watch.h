// Keeps a repository's index up to the disk while somebody has it open.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "daemon/folder_watch.h"
#include "daemon/index_writer.h"

namespace kinglet::daemon {

class Repository;

/// For the protocol thread. By inotify where the system has room for it; else, and while the root
/// cannot be read, by scans from time to time, which read what has another stamp.
class RepositoryWatch : public std::enable_shared_from_this<RepositoryWatch> {
 public:
  /// Time between the end of a scan and the next, where one is short.
  static constexpr std::chrono::seconds kPollInterval{5};

  /// Both outlive this. Call start() once it is in a shared_ptr.
  RepositoryWatch(Repository& repository, IndexThread& thread);
  RepositoryWatch(const RepositoryWatch&) = delete;
  RepositoryWatch& operator=(const RepositoryWatch&) = delete;
  ~RepositoryWatch();
  void start(std::size_t max_folders = FolderWatch::kMaxFolders);

  /// "inotify", or "scans, because …".
  const std::string& how() const { return how_; }

 private:
  void changed();
  void limited(const std::string& why);
  void poll();

  Repository& repository_;
  IndexThread& thread_;
  std::unique_ptr<FolderWatch> watch_;
  boost::asio::steady_timer timer_;
  bool is_polling_ = false;
  std::string how_;
  std::shared_ptr<void> listening_;
};

}  // namespace kinglet::daemon
