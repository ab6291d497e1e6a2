// `kinglet lsp`: an editor's standard input and output on one side, the daemon on the other.
#pragma once

#include <functional>

#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/processes/broker.h"

namespace kinglet::daemon {

struct RelayOptions {
  UniqueFd input;   // from the editor
  UniqueFd output;  // to the editor
  /// Gives a greeted socket to a daemon, starting one if need be. Blocks.
  std::function<Result<UniqueFd>()> connect;
  /// Called when the session is over and all that the editor is to hear has been written.
  std::function<void()> on_end = {};
};

/// Carries messages until the editor says `exit` or closes its end; the program's exit code as the
/// protocol wants it. When the daemon goes away, another is connected to, and the editor notices
/// nothing.
/// Errors: those of `connect`, at the start or after the daemon went away.
Result<int> run_relay(RelayOptions options);

/// The same with a broker of its own inside this process instead of a daemon. `flags` are settings
/// above all others.
Result<int> run_standalone(UniqueFd input,
                           UniqueFd output,
                           nlohmann::json flags,
                           BrokerOptions options);

}  // namespace kinglet::daemon
