#include "daemon/folder_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/base/unique_fd.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kQuiet{100};
constexpr std::chrono::milliseconds kLongest{500};
// More changed files than this are found faster by a scan.
constexpr std::size_t kMaxFiles = 64;
constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

/// A folder's watch descriptor; negative: minus errno.
struct Added {
  std::string path;
  int descriptor = -1;
};

std::string joined(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

bool is_limit(int error) {
  return error == ENOSPC || error == ENOMEM || error == EMFILE;
}

}  // namespace

class FolderWatch::State : public std::enable_shared_from_this<State> {
 public:
  State(const asio::any_io_executor& protocol,
        Elsewhere elsewhere,
        UniqueFd inotify,
        std::string root,
        Events events,
        std::size_t max_folders)
      : protocol_(protocol),
        elsewhere_(std::move(elsewhere)),
        fd_(std::make_shared<UniqueFd>(std::move(inotify))),
        readable_(protocol, fd_->get()),
        quiet_(protocol),
        root_(std::move(root)),
        events_(std::move(events)),
        max_folders_(max_folders) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  // The descriptor belongs to fd_.
  ~State() { readable_.release(); }

  void wait() {
    readable_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [weak = weak_from_this()](const auto& error) {
                           const auto self = weak.lock();
                           if (error || !self || self->is_over_) return;
                           self->read();
                           self->wait();
                         });
  }

  void set_folders(const std::vector<std::string>& folders) {
    if (is_over_) return;
    wanted_ = {folders.begin(), folders.end()};
    // HEAD and index tell of a switched branch.
    wanted_.insert(".git");
    if (wanted_.size() > max_folders_) {
      return give_up("more than " + std::to_string(max_folders_) + " folders");
    }
    std::vector<std::string> gone;
    for (const auto& [path, descriptor] : by_path_) {
      if (!wanted_.contains(path)) gone.push_back(path);
    }
    for (const std::string& path : gone)
      forget(path);
    if (!is_adding_) add();
  }

  void stop() {
    is_over_ = true;
    events_ = {};
    boost::system::error_code ignored;
    readable_.cancel(ignored);  // an error: it is closed already
    quiet_.cancel();
  }

 private:
  void add() {
    std::vector<Added> missing;
    for (const std::string& path : wanted_) {
      if (!by_path_.contains(path) && !unwatchable_.contains(path)) missing.push_back({path, -1});
    }
    if (missing.empty()) return;
    is_adding_ = true;
    elsewhere_([weak = weak_from_this(),
                protocol = protocol_,
                fd = fd_,
                root = root_,
                missing = std::move(missing)]() mutable {
      for (Added& added : missing) {
        const std::string path = root + "/" + added.path;
        added.descriptor = ::inotify_add_watch(
            fd->get(), path.c_str(), kMask | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK);
        if (added.descriptor >= 0) continue;
        added.descriptor = -errno;
        if (is_limit(-added.descriptor)) break;
      }
      asio::post(protocol, [weak, missing = std::move(missing)] {
        if (const auto self = weak.lock()) self->add(missing);
      });
    });
  }

  void add(const std::vector<Added>& folders) {
    is_adding_ = false;
    if (is_over_) return;
    for (const Added& added : folders) {
      if (added.descriptor < 0) {
        if (is_limit(-added.descriptor)) {
          return give_up("the limit of fs.inotify.max_user_watches (" +
                         std::generic_category().message(-added.descriptor) + ")");
        }
        // Until a scan says otherwise.
        unwatchable_.insert(added.path);
        continue;
      }
      // One folder, moved meanwhile: it has the same number.
      if (const auto former = by_descriptor_.find(added.descriptor);
          former != by_descriptor_.end()) {
        by_path_.erase(former->second);
      }
      by_descriptor_[added.descriptor] = added.path;
      by_path_[added.path] = added.descriptor;
    }
    rescan_ = true;
    flush_soon();
    add();
  }

  void forget(const std::string& path) {
    const auto found = by_path_.find(path);
    if (found == by_path_.end()) return;
    ::inotify_rm_watch(fd_->get(), found->second);
    by_descriptor_.erase(found->second);
    by_path_.erase(found);
  }

  /// A folder moved or went, with all below: its watches still tell the old paths.
  void forget_below(const std::string& folder) {
    std::vector<std::string> paths;
    for (auto it = by_path_.lower_bound(folder); it != by_path_.end(); ++it) {
      if (!it->first.starts_with(folder)) break;
      if (it->first.size() == folder.size() || it->first[folder.size()] == '/') {
        paths.push_back(it->first);
      }
    }
    for (const std::string& path : paths)
      forget(path);
  }

  void give_up(const std::string& why) {
    is_over_ = true;
    // All of them are other programs' again.
    readable_.release();
    fd_.reset();
    by_descriptor_.clear();
    by_path_.clear();
    quiet_.cancel();
    const Events events = std::exchange(events_, {});
    if (events.on_limit) events.on_limit(why);
  }

  void read() {
    alignas(inotify_event) std::array<char, 64 << 10> buffer{};
    for (int n_reads = 0; n_reads < 16; ++n_reads) {
      const ssize_t n = ::read(fd_->get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
        inotify_event event{};
        std::memcpy(&event, buffer.data() + at, sizeof(event));
        const char* name = buffer.data() + at + sizeof(event);
        handle(event, std::string(name, event.len == 0 ? 0 : ::strnlen(name, event.len)));
        at += sizeof(event) + event.len;
      }
    }
    if (rescan_ || !files_.empty()) flush_soon();
  }

  void handle(const inotify_event& event, const std::string& name) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      rescan_ = true;
      return;
    }
    const auto folder = by_descriptor_.find(event.wd);
    // Just being added: a scan follows. Or forgotten.
    if (folder == by_descriptor_.end()) return;
    if ((event.mask & IN_IGNORED) != 0) {
      by_path_.erase(folder->second);
      by_descriptor_.erase(folder);
      return;
    }
    if (folder->second == ".git") {
      if (name == "HEAD" || name == "index") rescan_ = true;
      return;
    }
    if (name.empty()) {
      // The folder itself. That its content is readable now or not, a scan finds.
      rescan_ = true;
      return;
    }
    const std::string path = joined(folder->second, name);
    if ((event.mask & IN_ISDIR) != 0) {
      rescan_ = true;
      unwatchable_.erase(path);
      if ((event.mask & (IN_MOVED_FROM | IN_DELETE)) != 0) forget_below(path);
    } else if (name == ".gitignore") {
      rescan_ = true;
    } else if (files_.size() <= kMaxFiles) {
      files_.insert(path);
    }
  }

  void flush_soon() {
    const auto now = Clock::now();
    if (!first_) first_ = now;
    quiet_.expires_at(std::min(now + kQuiet, *first_ + kLongest));
    quiet_.async_wait([weak = weak_from_this()](const auto& error) {
      const auto self = weak.lock();
      if (!error && self && !self->is_over_) self->flush();
    });
  }

  void flush() {
    first_.reset();
    const auto files = std::exchange(files_, {});
    const bool rescan = std::exchange(rescan_, false) || files.size() > kMaxFiles;
    // Copies: a handler may end this.
    const Events events = events_;
    if (rescan) {
      if (events.on_rescan) events.on_rescan();
    } else if (!files.empty() && events.on_files) {
      events.on_files({files.begin(), files.end()});
    }
  }

  asio::any_io_executor protocol_;
  Elsewhere elsewhere_;
  std::shared_ptr<UniqueFd> fd_;  // shared with the job that adds folders
  asio::posix::stream_descriptor readable_;
  asio::steady_timer quiet_;
  std::string root_;
  Events events_;
  std::size_t max_folders_;
  std::set<std::string> wanted_;
  std::set<std::string> unwatchable_;
  std::map<std::string, int> by_path_;
  std::map<int, std::string> by_descriptor_;
  std::set<std::string> files_;
  std::optional<Clock::time_point> first_;  // of the events that were not told yet
  bool rescan_ = false;
  bool is_adding_ = false;
  bool is_over_ = false;
};

Result<std::unique_ptr<FolderWatch>> FolderWatch::start(const asio::any_io_executor& protocol,
                                                        Elsewhere elsewhere,
                                                        std::string root,
                                                        Events events,
                                                        std::size_t max_folders) {
  UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify.is_open()) {
    return fail(ErrorCode::kIo, "inotify: " + std::generic_category().message(errno));
  }
  auto state = std::make_shared<State>(protocol,
                                       std::move(elsewhere),
                                       std::move(inotify),
                                       std::move(root),
                                       std::move(events),
                                       max_folders);
  state->wait();
  return std::unique_ptr<FolderWatch>(new FolderWatch(std::move(state)));
}

FolderWatch::~FolderWatch() {
  try {
    state_->stop();
  } catch (...) {  // NOLINT(bugprone-empty-catch): a timer that fires later finds that it is over
  }
}

void FolderWatch::set_folders(const std::vector<std::string>& folders) {
  // on_limit may end this.
  const auto state = state_;
  state->set_folders(folders);
}

}  // namespace kinglet::daemon
