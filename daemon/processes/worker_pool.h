// Worker processes that answer one request at a time, and what becomes of requests when they die.
//
// A worker's death is the fault of the request it had: that is tried once more on a new worker,
// then fails. A content that killed two workers is never worked on again while this daemon lives:
// each worker is told at its start what to refuse.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/spawn.h"
#include "daemon/processes/worker_link.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

struct WorkerPoolOptions {
  std::string kind;  // for people and for `kinglet logs`: "parse", "clang"
  /// This program without a verb: there are no workers, and every request fails.
  SpawnOptions spawn;
  std::size_t n_workers = 1;
  /// Workers end when nothing was asked for so long. Without it they stay.
  std::optional<std::chrono::milliseconds> idle_exit;
  /// A worker that takes more bytes counts as dead. Looked at five times a second while it works.
  std::uint64_t memory_limit = UINT64_MAX;
};

struct WorkerPoolStatus {
  std::vector<pid_t> pids;
  std::size_t n_waiting = 0;      // requests, those at a worker included
  std::size_t n_deaths = 0;       // since the daemon started; not those that the pool wanted
  std::size_t n_quarantined = 0;  // contents that killed two workers
};

/// What somebody waits for goes before what nobody sees.
enum class Urgency : std::uint8_t { kInteractive, kBackground };

/// How a request is sent, and what to do with what comes back.
struct WorkerRequest {
  using Deliver = std::function<void()>;

  Urgency urgency = Urgency::kBackground;
  /// A request that takes longer counts as a hung worker.
  std::chrono::milliseconds deadline{};
  /// A worker that served another root is replaced first. Empty: any worker will do.
  std::string root;
  /// Requests of one number go to the same worker where that is free: it remembers. 0: any.
  std::uint64_t affinity = 0;
  std::function<Result<void>(WorkerLink& worker, std::uint64_t id)> send;
  /// Takes a frame other than Failed. The final one gives what hands the answer over, which is
  /// called unless the request was cancelled meanwhile. An error ends the worker.
  std::function<Result<std::optional<Deliver>>(const wire::Frame& frame)> take;
  std::function<void(Error)> fail;
  /// Forgets what a dead worker said.
  std::function<void()> start_over = [] {};
};

/// A request with one answer, of type Answer; urgency, deadline and root are the caller's to set.
template <class Answer, class Request>
WorkerRequest single_answer(const Request& request, std::function<void(Result<Answer>)> on_done) {
  WorkerRequest result;
  result.send = [request](WorkerLink& worker, std::uint64_t id) {
    return worker.send(id, request);
  };
  result.take =
      [on_done](const wire::Frame& frame) -> Result<std::optional<WorkerRequest::Deliver>> {
    return [on_done, answer = TRY(wire::decode<Answer>(frame))]() mutable {
      on_done(std::move(answer));
    };
  };
  result.fail = [on_done](Error error) { on_done(tl::unexpected(std::move(error))); };
  return result;
}

/// For the protocol thread; so are the callbacks of requests: exactly one of `fail` and the
/// delivery each, never before add() returned, and kCancelled at once when `stop` is requested (on
/// any thread).
/// Errors besides the worker's own: kCancelled; kUnavailable when the request killed two workers,
/// or workers do not start at all.
class WorkerPool {
 public:
  WorkerPool(boost::asio::any_io_executor executor, WorkerPoolOptions options);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  void add(WorkerRequest request, std::stop_token stop);

  WorkerPoolStatus status() const;

  /// Ends the workers; what waits, and what comes later, fails with kUnavailable.
  void shut_down();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace kinglet::daemon
