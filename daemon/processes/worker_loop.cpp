#include "daemon/processes/worker_loop.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "daemon/processes/spawn.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

namespace {

/// Between two requests of one job there is less than this.
constexpr std::chrono::milliseconds kBusyPause{500};

/// The requests of one worker, waiting or running.
class Requests {
 public:
  struct Request {
    wire::Frame frame;
    std::stop_source stop;
  };

  void add(wire::Frame frame) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back({std::move(frame), {}});
    changed_.notify_one();
  }

  /// Waits for the next one and makes it the running one.
  Request take() {
    std::unique_lock lock(mutex_);
    running_.reset();
    const auto has_work = [this] { return !waiting_.empty(); };
    if (!changed_.wait_for(lock, kBusyPause, has_work)) {
      // Nothing more for now: what the last requests took goes back to the system.
      lock.unlock();
      ::malloc_trim(0);
      lock.lock();
      changed_.wait(lock, has_work);
    }
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    return *running_;
  }

  void cancel(std::uint64_t request) {
    const std::scoped_lock lock(mutex_);
    if (running_ && running_->frame.request == request) running_->stop.request_stop();
    for (auto& waiting : waiting_) {
      if (waiting.frame.request == request) waiting.stop.request_stop();
    }
  }

  bool is_busy() const {
    const std::scoped_lock lock(mutex_);
    return running_.has_value();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> waiting_;
  std::optional<Request> running_;
};

Result<void> handle_guarded(const WorkerHandler& handler,
                            const Requests::Request& request,
                            wire::Channel& channel) {
  if (request.stop.stop_requested()) return fail(ErrorCode::kCancelled, "It was cancelled.");
  try {
    return handler(request.frame, request.stop.get_token(), channel);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kOutOfMemory, "The worker ran out of memory.");
  } catch (const std::exception& exception) {
    return fail(ErrorCode::kInternal, std::string("A bug in the worker: ") + exception.what());
  }
}

void compute(const WorkerHandler& handler, Requests& requests, wire::Channel& channel) {
  for (;;) {
    const auto request = requests.take();
    const auto done = handle_guarded(handler, request, channel);
    if (done) continue;
    if (done.error().code != ErrorCode::kCancelled) spdlog::warn("{}", done.error().message);
    // When this cannot be sent, the reading thread sees the end, too.
    (void)channel.send(request.frame.request,
                       wire::Failed{done.error().code, done.error().message});
  }
}

/// A process that reads what others wrote leaves nothing of it behind when it dies.
void harden() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  die_with_parent();
}

}  // namespace

int run_worker(UniqueFd socket, const WorkerHandler& handler) {
  harden();
  wire::Channel channel(std::move(socket));
  Requests requests;
  // Never joined: the process ends below while it computes.
  std::thread([&] { compute(handler, requests, channel); }).detach();
  int exit_code = 0;
  for (;;) {
    auto frame = channel.receive();
    if (!frame) {
      spdlog::error("{}", frame.error().message);
      exit_code = 1;
      break;
    }
    if (!*frame) break;
    switch ((*frame)->type) {
      case wire::MessageType::kCancel:
        requests.cancel((*frame)->request);
        break;
      case wire::MessageType::kGetStatus:
        (void)channel.send((*frame)->request,
                           wire::Status{.busy = requests.is_busy(),
                                        .doing = requests.is_busy() ? "computing" : "idle"});
        break;
      default:
        requests.add(std::move(**frame));
    }
  }
  // Not exit(): destructors would pull the floor from under the computing thread.
  spdlog::default_logger()->flush();
  ::_exit(exit_code);
}

}  // namespace kinglet::daemon
