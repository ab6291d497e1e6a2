// A language server for one client, without features and without I/O: bytes in, frames out.
//
//   Server server({.send = [&](std::string frame) { socket.write(std::move(frame)); }});
//   bind_methods(server.bind(), session);       // rows; `initialize` must be among them
//   while (read(bytes)) { server.feed(bytes); if (server.exit_code()) break; }
//
// The server keeps the protocol's promises around the handlers: exactly one reply per request,
// the life cycle (initialize, shutdown, exit), cancellation, an error with the right code for every
// malformed message, and a guard around each handler, so that what throws costs one request.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/base/result.h"
#include "lsp/binder.h"
#include "lsp/json.h"
#include "lsp/protocol.h"

namespace kinglet::lsp {

/// How much a client may have open at once; more is answered with RequestFailed.
inline constexpr std::size_t kMaxRequestsInFlight = 4096;

struct ServerOptions {
  /// Takes one framed message. Called in the order in which messages must be written.
  std::function<void(std::string frame)> send;
  /// Takes what went wrong without a reply to put it in (optional). Holds no code.
  std::function<void(std::string_view line)> log;
};

namespace detail {
class ServerCore;
}

/// A handle on the client, for what the server says unasked. Cheap to copy; may outlive the server,
/// and is then mute. For the server's thread.
class Client {
 public:
  explicit Client(std::weak_ptr<detail::ServerCore> core) : core_(std::move(core)) {}

  template <class P>
  void notify(std::string_view method, const P& params) const {
    send_notification(method, Json(params));
  }
  /// `$/progress`
  template <class T>
  void progress(const ProgressToken& token, T value) const {
    notify("$/progress", ProgressParams<T>{token, std::move(value)});
  }
  /// Calls `on_response` with the client's answer; never if the client goes without one. R needs a
  /// read(); use Null where the result does not matter.
  template <class R, class P>
  void request(std::string_view method,
               const P& params,
               std::function<void(Response<R>)> on_response) const {
    send_request(method, Json(params), [on_response = std::move(on_response)](Response<Json> raw) {
      if (!raw) return on_response(tl::unexpected(std::move(raw).error()));
      on_response(read_json<R>(*raw, "result").map_error([](const Error& error) {
        return ResponseError(error);
      }));
    });
  }
  bool is_connected() const { return !core_.expired(); }

 private:
  void send_notification(std::string_view method, Json params) const;
  void send_request(std::string_view method,
                    Json params,
                    std::function<void(Response<Json>)> on_response) const;

  std::weak_ptr<detail::ServerCore> core_;
};

/// All of it runs on the caller's thread, and so must every Reply and Client of this server. A
/// handler may not destroy the server.
class Server {
 public:
  explicit Server(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Requests still open are cancelled through their stop tokens; their replies go nowhere.
  ~Server();

  Binder& bind();
  Client client() const;

  /// Takes bytes from the client, in pieces of any size, and handles the messages they complete.
  void feed(std::string_view bytes);
  /// The client's end of the pipe closed: cancels what is open. exit_code() is 1 if `exit` did not
  /// come first.
  void end_of_input();

  /// Set once `exit` came: 0 after `shutdown`, else 1. Whatever is fed afterwards is ignored.
  std::optional<int> exit_code() const;
  bool is_initialized() const;
  std::size_t n_requests_in_flight() const;

 private:
  std::shared_ptr<detail::ServerCore> core_;
};

}  // namespace kinglet::lsp
