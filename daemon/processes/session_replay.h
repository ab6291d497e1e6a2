// What a relay remembers of its editor's session, so that a new daemon can take it over.
//
// The relay passes every message body through here, in both directions. When the daemon goes away,
// daemon_lost() says what the editor must hear at once, and daemon_found() what the next daemon
// must be told before anything else: `initialize`, `initialized`, the settings, the open documents
// with the text they have by now, and the requests nobody answered. The editor sees neither the
// second reply to `initialize` nor anything else of it.
//
// Bodies in, bodies out; no I/O. For one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "lsp/documents.h"
#include "lsp/json.h"

namespace kinglet::daemon {

class SessionReplay {
 public:
  /// A message from the editor. Returns what to send to the daemon now: the message, or nothing
  /// (there is no daemon at the moment, or the message answers one that is gone).
  std::optional<std::string> from_editor(std::string body);

  /// A message from the daemon. Returns what to send to the editor, if it is for the editor.
  /// Errors: kUnavailable when a new daemon refuses the session, kUnsupported when it counts
  /// columns otherwise than the editor was promised. The session cannot go on then.
  Result<std::optional<std::string>> from_daemon(std::string body);

  /// The daemon is gone. Returns messages for the editor: errors for requests that must not run
  /// twice (commands) or that were open when a second daemon went, ends for progress bars nobody
  /// will end, withdrawn registrations. The other open requests wait for the next daemon.
  std::vector<std::string> daemon_lost();

  /// A new daemon is connected. Returns what it must be sent first, in order.
  std::vector<std::string> daemon_found();

  /// There will be no new daemon: errors for all requests still open, `why` in each.
  std::vector<std::string> give_up(std::string_view why);

  /// After `shutdown` or `exit` a daemon that goes away need not be replaced: daemon_lost() and
  /// give_up() answer what is open.
  bool is_over() const { return has_shut_down_ || has_exited_; }
  bool has_exited() const { return has_exited_; }
  bool has_open_requests() const { return !open_.empty(); }
  /// By the protocol: 0 if `shutdown` came before `exit`, else 1.
  int exit_code() const { return has_shut_down_ && has_exited_ ? 0 : 1; }

 private:
  /// A request of the editor without a reply so far.
  struct OpenRequest {
    lsp::Json id;
    std::string method;
    std::string body;
    int n_sent = 0;  // to how many daemons
    bool is_cancelled = false;
  };

  void note_request(const std::string& method, const lsp::Json& id, const std::string& body);
  void note_notification(const std::string& method, const lsp::Json& params);
  template <class Params, class Member>
  void apply(Member change, const lsp::Json& params);
  void note_initialize_result(const lsp::Json& result);
  std::optional<std::string> answer_to_daemon(lsp::Json message, std::string body);
  void change_folders(const lsp::Json& params);
  Result<void> check_takeover(const lsp::Json& message) const;
  std::string request_from_daemon(lsp::Json message, std::string body);
  void note_progress(const lsp::Json& params);
  void note_registrations(const std::string& method, const lsp::Json& params);
  std::optional<lsp::Json> answer_without_daemon(const OpenRequest& open) const;
  void replay_documents(std::vector<std::string>& out) const;

  bool is_connected_ = true;
  int generation_ = 1;  // counts daemons

  lsp::Json initialize_;                          // the editor's message; null before it came
  std::optional<std::string> promised_encoding_;  // the first daemon's reply to it
  bool is_initialized_ = false;
  bool has_shut_down_ = false;
  bool has_exited_ = false;
  std::optional<lsp::Json> settings_;  // the last didChangeConfiguration's params
  lsp::Documents documents_;
  std::vector<OpenRequest> open_;            // in the order they came
  std::vector<std::string> not_understood_;  // messages that came while there was no daemon

  // What this daemon has made the editor hold. Ids and tokens by their JSON text.
  std::map<std::string, lsp::Json> asked_;            // our id of its request → its id
  std::set<std::string> bars_;                        // progress begun, not ended
  std::map<std::string, std::string> registrations_;  // id → method
};

}  // namespace kinglet::daemon
