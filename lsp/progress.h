// Long work shown in the editor: window/workDoneProgress/create, then `$/progress`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lsp/protocol.h"
#include "lsp/server.h"

namespace kinglet::lsp {

/// One progress bar from begin to end; destruction ends it. Mute for a client that did not say
/// `window.workDoneProgress`. What is reported before the client has agreed to the bar is shown
/// once it has; if it refuses, or the work ended first, nothing is shown. For the server's thread.
class WorkDoneProgress {
 public:
  WorkDoneProgress(Client client, const ClientCapabilities& capabilities, std::string title);
  WorkDoneProgress(WorkDoneProgress&&) noexcept = default;
  WorkDoneProgress& operator=(WorkDoneProgress&& other) noexcept;
  WorkDoneProgress(const WorkDoneProgress&) = delete;
  WorkDoneProgress& operator=(const WorkDoneProgress&) = delete;
  ~WorkDoneProgress();

  /// `percentage` 0 to 100, if known. Repeating what is already shown sends nothing.
  void report(std::string message, std::optional<std::uint32_t> percentage = std::nullopt);
  void end(std::optional<std::string> message = std::nullopt);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kinglet::lsp
