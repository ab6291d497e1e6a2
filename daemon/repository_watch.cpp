#include "daemon/repository_watch.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "daemon/repository.h"

namespace kinglet::daemon {

RepositoryWatch::RepositoryWatch(Repository& repository, IndexThread& thread)
    : repository_(repository), thread_(thread), timer_(thread.protocol()) {}

RepositoryWatch::~RepositoryWatch() = default;

void RepositoryWatch::start(std::size_t max_folders) {
  how_ = "inotify";
  listening_ = repository_.listen([this](const Repository&) { changed(); });
  auto watch = FolderWatch::start(
      thread_.protocol(),
      [&thread = thread_](std::function<void()> job) {
        thread.post([job = std::move(job)](indexer::Store&) { job(); });
      },
      repository_.root().string(),
      {.on_files =
           [this](const std::vector<std::string>& paths) {
             for (const std::string& path : paths)
               repository_.refresh_file(path);
           },
       .on_rescan = [this] { repository_.refresh(); },
       .on_limit =
           [weak = weak_from_this()](const std::string& why) {
             if (const auto self = weak.lock()) self->limited(why);
           }},
      max_folders);
  if (!watch) return limited(watch.error().message);
  watch_ = *std::move(watch);
  changed();
}

/// The repository's status changed.
void RepositoryWatch::changed() {
  if (!repository_.is_settled()) return;
  const bool has_failed = repository_.status().state == RepositoryState::kFailed;
  if (watch_ && !has_failed) watch_->set_folders(repository_.folders());
  if (!watch_ || has_failed) poll();
}

void RepositoryWatch::limited(const std::string& why) {
  how_ = "scans, because of " + why;
  spdlog::warn(
      "{} is not watched: {}. It is scanned from time to time instead.", repository_.name(), why);
  watch_.reset();
  if (repository_.is_settled()) poll();
}

void RepositoryWatch::poll() {
  if (std::exchange(is_polling_, true)) return;
  // Scans take a twentieth of a processor at most.
  const std::chrono::duration<double> last(repository_.status().scan_seconds);
  timer_.expires_after(std::max<std::chrono::nanoseconds>(
      kPollInterval, std::chrono::duration_cast<std::chrono::nanoseconds>(last * 20)));
  timer_.async_wait([weak = weak_from_this()](const auto& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->is_polling_ = false;
    self->repository_.refresh();
  });
}

}  // namespace kinglet::daemon
