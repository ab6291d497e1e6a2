// The broker's side of the clang worker: one process, one unit at a time, gone after a few seconds
// without work. A worker serves one root; for another one it is replaced. What is quarantined is a
// content with its flags.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/base/result.h"
#include "daemon/processes/spawn.h"
#include "daemon/processes/worker_pool.h"
#include "daemon/wire/messages.h"

namespace kinglet::daemon {

struct ClangOptions {
  SpawnOptions spawn;
  /// A request that takes longer counts as a hung worker.
  std::chrono::milliseconds unit_deadline{60'000};
  std::chrono::milliseconds interactive_deadline{15'000};
  /// A worker without work ends after that.
  std::chrono::milliseconds idle_exit{10'000};
  std::uint64_t memory_limit = UINT64_MAX;  // bytes
};

/// One callback each, on the protocol thread, with the errors of WorkerPool besides the worker's
/// own. kNotFound: libclang is not installed.
class ClangClient {
 public:
  template <class T>
  using OnDone = std::function<void(Result<T>)>;

  ClangClient(boost::asio::any_io_executor executor, ClangOptions options);

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

  WorkerPoolStatus status() const { return pool_.status(); }
  void shut_down() { pool_.shut_down(); }

 private:
  template <class Answer, class Request>
  void add(const Request& request, Urgency urgency, std::stop_token stop, OnDone<Answer> on_done);

  std::chrono::milliseconds unit_deadline_;
  std::chrono::milliseconds interactive_deadline_;
  WorkerPool pool_;
};

}  // namespace kinglet::daemon
