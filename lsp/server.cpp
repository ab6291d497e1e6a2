#include "lsp/server.h"

#include <cassert>
#include <exception>
#include <map>
#include <stop_token>
#include <vector>

#include "lsp/transport.h"

namespace kinglet::lsp {
namespace detail {

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  explicit ServerCore(ServerOptions options) : options_(std::move(options)) {}

  void feed(std::string_view bytes);
  void end_of_input();
  /// Cancels what is open and falls silent.
  void close();

  void send_notification(std::string_view method, Json params);
  void send_request(std::string_view method,
                    Json params,
                    std::function<void(Response<Json>)> on_response);

  Binder& bind() { return binder_; }
  std::optional<int> exit_code() const { return exit_code_; }
  bool is_initialized() const { return phase_ == Phase::kRunning; }
  std::size_t n_in_flight() const { return in_flight_.size(); }

 private:
  enum class Phase { kUninitialized, kRunning, kShutDown, kClosed };

  void handle_frame(const Result<std::string>& frame);
  void handle_message(const Json& message);
  void handle_request(const std::string& method, const Json& id, const Json& params);
  void handle_notification(const std::string& method, const Json& params);
  void handle_response(const Json& message);
  void cancel(const Json& params);
  std::optional<ResponseError> refuse(const std::string& method, const std::string& key) const;
  void dispatch(const std::string& method,
                const Json& params,
                std::stop_token stop,
                const RawReply& reply);
  void answer(const Json& id, const Response<Json>& response);
  void send(const Json& message);
  void log(const std::string& line) const;

  ServerOptions options_;
  Binder binder_;
  FrameReader reader_;
  Phase phase_ = Phase::kUninitialized;
  std::optional<int> exit_code_;
  // By the id's JSON text: 7 and "7" are two ids.
  std::map<std::string, std::stop_source> in_flight_;
  std::map<std::int64_t, std::function<void(Response<Json>)>> awaited_;
  std::int64_t next_id_ = 1;
};

namespace {

const Json kNullId = nullptr;

bool is_request_id(const Json& id) {
  return id.is_string() || id.is_number_integer();
}

Json call(std::string_view method, Json params) {
  Json message = {{"jsonrpc", "2.0"}, {"method", method}};
  // JSON-RPC allows an object, an array, or nothing.
  if (!params.is_null()) message["params"] = std::move(params);
  return message;
}

// The id to name in an error about `message`, or null where there is none to trust.
const Json& id_of(const Json& message) {
  if (!message.is_object()) return kNullId;
  const auto id = message.find("id");
  return id != message.end() && is_request_id(*id) ? *id : kNullId;
}

}  // namespace

void ServerCore::feed(std::string_view bytes) {
  if (phase_ == Phase::kClosed) return;
  for (const Frame& frame : reader_.feed(bytes)) {
    handle_frame(frame);
    if (phase_ == Phase::kClosed) return;
  }
}

void ServerCore::end_of_input() {
  if (phase_ == Phase::kClosed) return;
  if (const auto error = reader_.finish()) log(error->message);
  exit_code_ = 1;
  close();
}

void ServerCore::close() {
  phase_ = Phase::kClosed;
  awaited_.clear();
  // A stop callback may answer at once, which changes in_flight_.
  const auto open = std::exchange(in_flight_, {});
  for (const auto& [key, source] : open)
    std::stop_source(source).request_stop();
}

void ServerCore::handle_frame(const Result<std::string>& frame) {
  if (!frame) return answer(kNullId, fail(ResponseCode::kParseError, frame.error().message));
  const auto message = parse_json(*frame);
  if (!message) return answer(kNullId, fail(ResponseCode::kParseError, message.error().message));
  handle_message(*message);
}

void ServerCore::handle_message(const Json& message) {
  const auto invalid = [&](const Json& id, const char* why) {
    answer(id, fail(ResponseCode::kInvalidRequest, why));
  };
  if (!message.is_object()) return invalid(kNullId, "a message is one JSON object (no batches)");
  const auto id = message.find("id");
  const auto method = message.find("method");
  const bool is_response =
      method == message.end() && (message.contains("result") || message.contains("error"));
  const auto version = message.find("jsonrpc");
  if (version == message.end() || *version != "2.0") {
    // A response's id is one of ours: echoed, it would seem to answer a request of the client.
    return invalid(is_response ? kNullId : id_of(message), "a message needs \"jsonrpc\": \"2.0\"");
  }
  if (is_response) return handle_response(message);
  if (method == message.end() || !method->is_string()) {
    return invalid(id_of(message), "a message needs a method, a result or an error");
  }
  const auto params = message.find("params");
  const Json& given = params == message.end() ? kNullId : *params;
  if (id == message.end()) return handle_notification(method->get_ref<const std::string&>(), given);
  if (!is_request_id(*id)) return invalid(kNullId, "an id is a whole number or a string");
  handle_request(method->get_ref<const std::string&>(), *id, given);
}

std::optional<ResponseError> ServerCore::refuse(const std::string& method,
                                                const std::string& key) const {
  if (phase_ == Phase::kShutDown) {
    return ResponseError(ResponseCode::kInvalidRequest, method + ": the server is shut down");
  }
  if (phase_ == Phase::kUninitialized && method != "initialize") {
    return ResponseError(ResponseCode::kServerNotInitialized, method + " before initialize");
  }
  if (phase_ == Phase::kRunning && method == "initialize") {
    return ResponseError(ResponseCode::kInvalidRequest, "initialize came before");
  }
  if (in_flight_.count(key) > 0) {
    return ResponseError(ResponseCode::kInvalidRequest,
                         method + ": id " + key + " belongs to a request still open");
  }
  if (in_flight_.size() >= kMaxRequestsInFlight) {
    return ResponseError(
        ResponseCode::kRequestFailed,
        method + ": " + std::to_string(kMaxRequestsInFlight) + " requests are open already");
  }
  if (method != "shutdown" && binder_.find_request(method) == nullptr) {
    return ResponseError(ResponseCode::kMethodNotFound, "unknown method " + method);
  }
  return std::nullopt;
}

void ServerCore::handle_request(const std::string& method, const Json& id, const Json& params) {
  const std::string key = to_text(id);
  if (auto error = refuse(method, key)) return answer(id, tl::unexpected(*std::move(error)));

  if (method == "shutdown") {
    phase_ = Phase::kShutDown;
    return answer(id, Json());
  }
  const bool is_initialize = method == "initialize";
  if (is_initialize) phase_ = Phase::kRunning;
  const std::stop_source& source = in_flight_[key];
  RawReply reply(method,
                 [weak = weak_from_this(), id, key, is_initialize](const Response<Json>& response) {
                   const auto core = weak.lock();
                   if (!core || core->in_flight_.erase(key) == 0) return;
                   if (is_initialize && !response && core->phase_ == Phase::kRunning) {
                     core->phase_ = Phase::kUninitialized;
                   }
                   core->answer(id, response);
                 });
  dispatch(method, params, source.get_token(), reply);
}

// The guard around each request.
void ServerCore::dispatch(const std::string& method,
                          const Json& params,
                          std::stop_token stop,
                          const RawReply& reply) {
  std::string what;
  try {
    return (*binder_.find_request(method))(params, std::move(stop), reply);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "unknown exception";
  }
  log(method + " threw: " + what);
  if (!reply.is_answered()) {
    reply(fail(ResponseCode::kInternalError, method + ": internal error: " + what));
  }
}

void ServerCore::handle_notification(const std::string& method, const Json& params) {
  if (method == "exit") {
    exit_code_ = phase_ == Phase::kShutDown ? 0 : 1;
    return close();
  }
  if (method == "$/cancelRequest") return cancel(params);
  if (phase_ != Phase::kRunning) {
    return log(method + " dropped: the server is not initialized or shut down");
  }
  const auto* handler = binder_.find_notification(method);
  if (handler == nullptr) return;
  try {
    if (const auto done = (*handler)(params); !done) log(method + ": " + done.error().message);
  } catch (const std::exception& error) {
    log(method + " threw: " + error.what());
  } catch (...) {
    log(method + " threw: unknown exception");
  }
}

void ServerCore::handle_response(const Json& message) {
  const Json& id = id_of(message);
  const auto entry =
      id.is_number_integer() ? awaited_.find(id.get<std::int64_t>()) : awaited_.end();
  if (entry == awaited_.end()) return log("a response to no request of ours was ignored");
  const auto on_response = std::move(entry->second);
  awaited_.erase(entry);
  Response<Json> response;
  if (const auto error = message.find("error"); error != message.end() && !error->is_null()) {
    response =
        tl::unexpected(read_json<ResponseError>(*error, "error")
                           .value_or(ResponseError(ResponseCode::kInternalError,
                                                   "the client answered with a malformed error")));
  } else if (const auto result = message.find("result"); result != message.end()) {
    response = *result;
  }
  try {
    on_response(std::move(response));
  } catch (const std::exception& error) {
    log(std::string("a response's handler threw: ") + error.what());
  } catch (...) {
    log("a response's handler threw: unknown exception");
  }
}

void ServerCore::cancel(const Json& params) {
  const Json& id = id_of(params);
  const auto entry = in_flight_.find(to_text(id));
  // Unknown: answered already, or never asked. Both are ordinary.
  if (entry == in_flight_.end()) return;
  // By value: a stop callback may answer at once, which erases the entry.
  std::stop_source source = entry->second;
  try {
    source.request_stop();
  } catch (const std::exception& error) {
    log(std::string("a cancellation threw: ") + error.what());
  }
}

void ServerCore::answer(const Json& id, const Response<Json>& response) {
  Json message = {{"jsonrpc", "2.0"}, {"id", id}};
  if (response) {
    message["result"] = *response;
  } else {
    message["error"] = response.error();
  }
  send(message);
}

void ServerCore::send_notification(std::string_view method, Json params) {
  send(call(method, std::move(params)));
}

void ServerCore::send_request(std::string_view method,
                              Json params,
                              std::function<void(Response<Json>)> on_response) {
  if (phase_ == Phase::kClosed) return;
  const std::int64_t id = next_id_++;
  awaited_.emplace(id, std::move(on_response));
  Json message = call(method, std::move(params));
  message["id"] = id;
  send(message);
}

void ServerCore::send(const Json& message) {
  if (phase_ == Phase::kClosed) return;
  options_.send(write_frame(to_text(message)));
}

void ServerCore::log(const std::string& line) const {
  if (options_.log) options_.log(line);
}

}  // namespace detail

void Client::send_notification(std::string_view method, Json params) const {
  if (const auto core = core_.lock()) core->send_notification(method, std::move(params));
}

void Client::send_request(std::string_view method,
                          Json params,
                          std::function<void(Response<Json>)> on_response) const {
  if (const auto core = core_.lock()) {
    core->send_request(method, std::move(params), std::move(on_response));
  }
}

Server::Server(ServerOptions options)
    : core_(std::make_shared<detail::ServerCore>(std::move(options))) {}

Server::~Server() {
  core_->close();
}

Binder& Server::bind() {
  return core_->bind();
}

Client Server::client() const {
  return Client(core_);
}

void Server::feed(std::string_view bytes) {
  core_->feed(bytes);
}

void Server::end_of_input() {
  core_->end_of_input();
}

std::optional<int> Server::exit_code() const {
  return core_->exit_code();
}

bool Server::is_initialized() const {
  return core_->is_initialized();
}

std::size_t Server::n_requests_in_flight() const {
  return core_->n_in_flight();
}

}  // namespace kinglet::lsp
