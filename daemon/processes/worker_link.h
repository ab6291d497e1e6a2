// A worker process as the broker sees it: frames go in, frames come out, and at most once it is
// dead.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/spawn.h"
#include "daemon/wire/codec.h"
#include "daemon/wire/frame.h"

namespace kinglet::daemon {

/// Belongs to the protocol thread. Destruction kills the worker, silently and without waiting.
class WorkerLink {
 public:
  struct Events {
    std::function<void(wire::Frame frame)> on_frame;
    /// The worker has ended and all frames it sent have been delivered. `why` is for people.
    /// Either handler may destroy the link.
    std::function<void(std::string why)> on_death;
  };

  /// Starts the worker with one end of a socket pair as kInheritedFd.
  static Result<std::unique_ptr<WorkerLink>> start(const boost::asio::any_io_executor& executor,
                                                   SpawnOptions options,
                                                   Events events);
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;
  ~WorkerLink();

  pid_t pid() const;

  /// Queues a message; one that the worker does not live to read is lost.
  /// Errors: kInvalidArgument when it is too long.
  template <wire::HasFields M>
  Result<void> send(std::uint64_t request, const M& message) {
    send_bytes(TRY(wire::encode(request, message)));
    return {};
  }

  /// Ends a worker that hangs or breaks the rules: no frame of it is delivered any more, and
  /// on_death follows with this reason.
  void kill(std::string why);

 private:
  class State;
  explicit WorkerLink(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void send_bytes(std::string bytes);

  std::shared_ptr<State> state_;
};

}  // namespace kinglet::daemon
