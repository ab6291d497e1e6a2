// The daemon: one thread that serves all clients, one session each, and the workers they share.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/services.h"

namespace kinglet::daemon {

struct BrokerOptions {
  ServicesOptions services;
  /// Finishes after that long without clients; zero: never.
  std::chrono::seconds idle_exit{0};
};

/// Runs inside `io`, whose run() returns once the broker has finished and nothing is left to do.
class Broker {
 public:
  Broker(boost::asio::io_context& io, BrokerOptions options);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker();

  /// Takes the daemon's lock and listens on its socket.
  /// Errors: kUnavailable when another daemon runs (its process is named); kIo; kInvalidArgument
  /// for a socket path that is too long.
  Result<void> listen();

  /// Serves one editor on a connected socket, without a greeting; `flags` are settings above all
  /// others.
  void serve(UniqueFd socket, nlohmann::json flags);

  /// Says goodbye to all clients, ends the workers, removes the socket.
  void finish();

  /// Called once, when the broker has finished for whatever reason: to cancel what else keeps the
  /// io_context running.
  void on_finish(std::function<void()> call);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace kinglet::daemon
