// The other end of the protocol: our own commands ask a Kinglet server what an editor would ask.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/processes/spawn.h"
#include "lsp/json.h"
#include "lsp/transport.h"

namespace kinglet::daemon {

/// One session, over the standard input and output of `kinglet ARGUMENTS…`. Blocks; one thread.
class LspClient {
 public:
  using OnNotification = std::function<void(const std::string& method, const lsp::Json& params)>;

  /// `program` is this very program unless told otherwise.
  static Result<LspClient> start(std::vector<std::string> arguments,
                                 std::string program = "/proc/self/exe");

  /// Called for what the server says unasked, during request(). What the server *asks* (a progress
  /// bar, its configuration) is agreed to with null.
  void on_notification(OnNotification handler) { on_notification_ = std::move(handler); }

  /// Waits for the answer. Errors: the server's own message (kUnavailable), kUnavailable when it
  /// ended.
  Result<lsp::Json> request(std::string_view method, lsp::Json params);
  /// The same in two steps: several requests may be under way.
  Result<std::int64_t> send_request(std::string_view method, lsp::Json params);
  Result<lsp::Json> wait_for(std::int64_t id);
  Result<void> notify(std::string_view method, lsp::Json params);

 private:
  LspClient(Process process, UniqueFd socket);
  Result<void> send(const lsp::Json& message);
  Result<lsp::Json> receive();

  Process process_;
  UniqueFd socket_;
  lsp::FrameReader reader_;
  std::vector<std::string> bodies_;            // received, not yet handled; the next one last
  std::map<std::int64_t, lsp::Json> answers_;  // received, not yet waited for
  OnNotification on_notification_;
  std::int64_t last_id_ = 0;
};

}  // namespace kinglet::daemon
