// The broker's side of the clang worker: one process, one unit at a time, gone after a few seconds
// without work.
//
// A worker's death is the fault of the request it had: that is tried once more on a new worker,
// then fails. What killed two workers (a content with its flags) is refused from then on while this
// daemon lives. A worker serves one root; for another one it is replaced.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/parse_client.h"
#include "daemon/processes/spawn.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

struct ClangOptions {
  SpawnOptions spawn;  // without arguments: there is no worker, and every request fails
  /// A request that takes longer counts as a hung worker.
  std::chrono::milliseconds unit_deadline{60'000};
  std::chrono::milliseconds interactive_deadline{15'000};
  /// A worker without work ends after that.
  std::chrono::milliseconds idle_exit{10'000};
};

struct ClangStatus {
  std::optional<pid_t> pid;
  std::size_t n_waiting = 0;
  std::size_t n_deaths = 0;  // not counted: those of idle workers that we ended
  std::size_t n_quarantined = 0;
};

/// For the protocol thread; so are its callbacks: exactly one each, never before the call returned,
/// and with kCancelled at once when `stop` is requested (on any thread).
/// Errors besides the worker's own: kCancelled; kUnavailable when the request killed two workers,
/// or workers do not start. kNotFound: libclang is not installed.
class ClangClient {
 public:
  template <class T>
  using OnDone = std::function<void(Result<T>)>;

  ClangClient(boost::asio::any_io_executor executor, ClangOptions options);
  ClangClient(const ClangClient&) = delete;
  ClangClient& operator=(const ClangClient&) = delete;
  ~ClangClient();

  void plan(const wire::ClangPlan& request,
            std::stop_token stop,
            OnDone<wire::ClangPlanned> on_done);
  void index(const wire::ClangIndex& request,
             Urgency urgency,
             std::stop_token stop,
             OnDone<wire::ClangIndexed> on_done);
  void hover(const wire::ClangHover& request,
             std::stop_token stop,
             OnDone<wire::ClangHovered> on_done);

  ClangStatus status() const;

  /// Ends the worker; what waits, and what comes later, fails with kUnavailable.
  void shut_down();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace kinglet::daemon
