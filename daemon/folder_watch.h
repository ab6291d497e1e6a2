// Changes in folders, told by the system (inotify).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"

namespace kinglet::daemon {

/// For the protocol thread. Folders are added on another, since that may touch the disk; names are
/// all that is read of them. What is told may have happened long ago or not at all: it is a hint
/// where to look.
class FolderWatch {
 public:
  struct Events {
    /// Files that may have changed, come or gone: paths relative to the root. Coalesced for 100 ms.
    std::function<void(const std::vector<std::string>& paths)> on_files;
    /// Folders came or went, rules changed, too much happened to tell, or folders were added: what
    /// happened in them before is for a scan to find.
    std::function<void()> on_rescan;
    /// The system watches no more folders for us; nothing is told from now on. `why` is for people.
    std::function<void(std::string why)> on_limit;
  };
  /// Runs a job on a thread that may block.
  using Elsewhere = std::function<void(std::function<void()> job)>;

  /// Half of what Debian's kernels allow one user, for all his programs.
  static constexpr std::size_t kMaxFolders = 65'536;

  /// Errors: kIo when inotify is not to be had.
  static Result<std::unique_ptr<FolderWatch>> start(const boost::asio::any_io_executor& protocol,
                                                    Elsewhere elsewhere,
                                                    std::string root,
                                                    Events events,
                                                    std::size_t max_folders = kMaxFolders);
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;
  ~FolderWatch();

  /// Watches these folders (by path, relative; "" is the root) and no others.
  void set_folders(const std::vector<std::string>& folders);

 private:
  class State;
  explicit FolderWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace kinglet::daemon
