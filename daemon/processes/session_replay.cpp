#include "daemon/processes/session_replay.h"

#include <algorithm>
#include <utility>

#include "lsp/protocol.h"

namespace kinglet::daemon {

using lsp::Json;
using lsp::ResponseCode;
using lsp::ResponseError;
using lsp::to_text;

namespace {

// Ids of requests the relay makes itself, and of a later daemon's requests as the editor sees them:
// every daemon counts from 1, and the editor may still owe an answer to the last one.
constexpr std::string_view kOwnIds = "kinglet-relay-";

std::string own_id(int generation, std::string_view what) {
  return std::string(kOwnIds) + std::to_string(generation) + "-" + std::string(what);
}

const Json& member(const Json& object, const char* name) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string string_member(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool is_request_id(const Json& id) {
  return id.is_string() || id.is_number_integer();
}

bool is_response(const Json& message) {
  return !message.contains("method") && (message.contains("result") || message.contains("error"));
}

std::string request(const Json& id, const char* method, Json params) {
  return to_text(
      {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}});
}

std::string notification(const char* method, Json params) {
  return to_text({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

Json error_reply(const Json& id, ResponseCode code, std::string message) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"error", ResponseError(code, std::move(message))}};
}

// Reading twice changes nothing; a command may have run.
bool may_repeat(const std::string& method) {
  return method == "initialize" || method.rfind("textDocument/", 0) == 0 ||
         method.rfind("kinglet/", 0) == 0;
}

std::optional<lsp::PositionEncoding> encoding_named(std::string_view name) {
  for (const auto encoding : {lsp::PositionEncoding::kUtf8,
                              lsp::PositionEncoding::kUtf16,
                              lsp::PositionEncoding::kUtf32}) {
    if (lsp::name_of(encoding) == name) return encoding;
  }
  return std::nullopt;
}

// The encoding a reply to `initialize` settles; UTF-16 if it names none.
std::string encoding_of(const Json& initialize_result) {
  const std::string name =
      string_member(member(initialize_result, "capabilities"), "positionEncoding");
  return name.empty() ? "utf-16" : name;
}

}  // namespace

// ---- From the editor

std::optional<std::string> SessionReplay::from_editor(std::string body) {
  const auto message = lsp::parse_json(body);
  bool is_understood = false;
  if (message && member(*message, "jsonrpc") == "2.0") {
    if (is_response(*message)) return answer_to_daemon(*message, std::move(body));
    const std::string method = string_member(*message, "method");
    const Json& id = member(*message, "id");
    if (!method.empty() && is_request_id(id)) {
      note_request(method, id, body);
      if (method == "initialize" && initialize_.is_null()) initialize_ = *message;
      is_understood = true;
    } else if (!method.empty() && !message->contains("id")) {
      note_notification(method, member(*message, "params"));
      is_understood = true;
    }
  }
  if (is_connected_) return body;
  // What cannot be understood goes on too, to the next daemon: it has the right error for it.
  if (!is_understood) not_understood_.push_back(std::move(body));
  return std::nullopt;
}

void SessionReplay::note_request(const std::string& method,
                                 const Json& id,
                                 const std::string& body) {
  if (method == "shutdown") has_shut_down_ = true;
  open_.push_back({.id = id, .method = method, .body = body, .n_sent = is_connected_ ? 1 : 0});
}

// What cannot be read or applied is the daemon's to complain about; Documents has marked what is
// not right any more.
template <class Params, class Member>
void SessionReplay::apply(Member change, const Json& params) {
  if (auto read = lsp::read_json<Params>(params, "params")) {
    (void)(documents_.*change)(*std::move(read));
  }
}

void SessionReplay::note_notification(const std::string& method, const Json& params) {
  if (method == "initialized") {
    is_initialized_ = true;
  } else if (method == "exit") {
    has_exited_ = true;
  } else if (method == "textDocument/didOpen") {
    apply<lsp::DidOpenTextDocumentParams>(&lsp::Documents::open, params);
  } else if (method == "textDocument/didChange") {
    apply<lsp::DidChangeTextDocumentParams>(&lsp::Documents::change, params);
  } else if (method == "textDocument/didSave") {
    apply<lsp::DidSaveTextDocumentParams>(&lsp::Documents::save, params);
  } else if (method == "textDocument/didClose") {
    apply<lsp::DidCloseTextDocumentParams>(&lsp::Documents::close, params);
  } else if (method == "workspace/didChangeConfiguration") {
    settings_ = params;
  } else if (method == "workspace/didChangeWorkspaceFolders") {
    change_folders(params);
  } else if (method == "$/cancelRequest") {
    for (OpenRequest& open : open_) {
      if (open.id == member(params, "id")) open.is_cancelled = true;
    }
  }
}

// Kept in the `initialize` message that a new daemon gets.
void SessionReplay::change_folders(const Json& params) {
  if (!initialize_.is_object() || !member(initialize_, "params").is_object()) return;
  Json folders = Json::array();
  const Json& event = member(params, "event");
  for (const Json& folder : member(initialize_["params"], "workspaceFolders")) {
    const Json& removed = member(event, "removed");
    const bool is_removed = std::any_of(removed.begin(), removed.end(), [&](const Json& other) {
      return member(other, "uri") == member(folder, "uri");
    });
    if (!is_removed) folders.push_back(folder);
  }
  for (const Json& folder : member(event, "added"))
    folders.push_back(folder);
  initialize_["params"]["workspaceFolders"] = std::move(folders);
}

std::optional<std::string> SessionReplay::answer_to_daemon(Json message, std::string body) {
  const auto asked = asked_.find(to_text(member(message, "id")));
  // An answer to the relay, or to a daemon that is gone.
  if (asked == asked_.end()) return std::nullopt;
  const Json id = std::move(asked->second);
  asked_.erase(asked);
  if (!is_connected_) return std::nullopt;
  if (id == message["id"]) return body;
  message["id"] = id;
  return to_text(message);
}

// ---- From the daemon

Result<std::optional<std::string>> SessionReplay::from_daemon(std::string body) {
  auto message = lsp::parse_json(body);
  if (!message || !message->is_object()) return std::nullopt;  // no daemon of ours sends that
  const Json& id = member(*message, "id");
  if (is_response(*message)) {
    if (generation_ > 1 && id == own_id(generation_, "initialize")) {
      TRY(check_takeover(*message));
      return std::nullopt;
    }
    const auto open = std::find_if(
        open_.begin(), open_.end(), [&](const OpenRequest& each) { return each.id == id; });
    if (open != open_.end()) {
      if (open->method == "initialize") note_initialize_result(member(*message, "result"));
      open_.erase(open);
    }
    return body;
  }
  const std::string method = string_member(*message, "method");
  if (method == "$/progress") note_progress(member(*message, "params"));
  if (id.is_null()) return body;
  note_registrations(method, member(*message, "params"));
  return request_from_daemon(*std::move(message), std::move(body));
}

void SessionReplay::note_initialize_result(const Json& result) {
  if (!result.is_object()) {  // refused: the editor may try again
    initialize_ = nullptr;
    return;
  }
  promised_encoding_ = encoding_of(result);
  documents_.set_encoding(
      encoding_named(*promised_encoding_).value_or(lsp::PositionEncoding::kUtf16));
}

Result<void> SessionReplay::check_takeover(const Json& message) const {
  if (const Json& error = member(message, "error"); !error.is_null()) {
    return fail(ErrorCode::kUnavailable,
                "The new daemon refused the session: " + string_member(error, "message") +
                    ". Restart the editor's language client.");
  }
  const std::string encoding = encoding_of(member(message, "result"));
  if (promised_encoding_ && encoding != *promised_encoding_) {
    return fail(ErrorCode::kUnsupported,
                "The new daemon counts columns in " + encoding + ", the editor in " +
                    *promised_encoding_ + ". Restart the editor's language client.");
  }
  return {};
}

std::string SessionReplay::request_from_daemon(Json message, std::string body) {
  const Json id = message["id"];
  if (generation_ > 1) {
    message["id"] = own_id(generation_, to_text(id));
    body = to_text(message);
  }
  asked_[to_text(message["id"])] = id;
  return body;
}

void SessionReplay::note_progress(const Json& params) {
  const std::string kind = string_member(member(params, "value"), "kind");
  const std::string token = to_text(member(params, "token"));
  if (kind == "begin") bars_.insert(token);
  if (kind == "end") bars_.erase(token);
}

void SessionReplay::note_registrations(const std::string& method, const Json& params) {
  if (method == "client/registerCapability") {
    for (const Json& each : member(params, "registrations")) {
      registrations_[string_member(each, "id")] = string_member(each, "method");
    }
  } else if (method == "client/unregisterCapability") {
    // The protocol spells it so.
    for (const Json& each : member(params, "unregisterations")) {
      registrations_.erase(string_member(each, "id"));
    }
  }
}

// ---- Between two daemons

std::optional<Json> SessionReplay::answer_without_daemon(const OpenRequest& open) const {
  if (open.is_cancelled) {
    return error_reply(open.id, ResponseCode::kRequestCancelled, "cancelled by the client");
  }
  if (open.method == "shutdown") {
    return Json{{"jsonrpc", "2.0"}, {"id", open.id}, {"result", nullptr}};
  }
  if (open.n_sent > 1) {
    return error_reply(open.id,
                       ResponseCode::kRequestFailed,
                       open.method + ": two daemons ended while they worked on it");
  }
  if (open.n_sent == 1 && !may_repeat(open.method)) {
    return error_reply(open.id,
                       ResponseCode::kRequestFailed,
                       open.method + ": the daemon ended while it worked on it; it may have run");
  }
  return std::nullopt;
}

std::vector<std::string> SessionReplay::daemon_lost() {
  is_connected_ = false;
  asked_.clear();
  std::vector<std::string> out;
  std::vector<OpenRequest> still_open;
  for (OpenRequest& open : open_) {
    if (auto reply = answer_without_daemon(open)) {
      out.push_back(to_text(*reply));
    } else {
      still_open.push_back(std::move(open));
    }
  }
  open_ = std::move(still_open);
  for (const std::string& token : std::exchange(bars_, {})) {
    out.push_back(notification(
        "$/progress", {{"token", Json::parse(token)}, {"value", lsp::WorkDoneProgressEnd{}}}));
  }
  if (!registrations_.empty()) {
    Json list = Json::array();
    for (const auto& [id, method] : std::exchange(registrations_, {})) {
      list.push_back({{"id", id}, {"method", method}});
    }
    out.push_back(request(own_id(generation_, "unregister"),
                          "client/unregisterCapability",
                          {{"unregisterations", std::move(list)}}));
  }
  return out;
}

std::vector<std::string> SessionReplay::daemon_found() {
  is_connected_ = true;
  ++generation_;
  std::vector<std::string> out;
  if (promised_encoding_) {
    Json initialize = initialize_;
    initialize["id"] = own_id(generation_, "initialize");
    out.push_back(to_text(initialize));
    if (is_initialized_) out.push_back(notification("initialized", Json::object()));
    if (settings_) out.push_back(notification("workspace/didChangeConfiguration", *settings_));
    replay_documents(out);
  }
  for (OpenRequest& open : open_) {
    ++open.n_sent;
    out.push_back(open.body);
    if (open.is_cancelled) out.push_back(notification("$/cancelRequest", {{"id", open.id}}));
  }
  for (std::string& body : std::exchange(not_understood_, {}))
    out.push_back(std::move(body));
  return out;
}

void SessionReplay::replay_documents(std::vector<std::string>& out) const {
  for (const lsp::Document& document : documents_.all()) {
    lsp::TextDocumentItem item{.uri = document.uri,
                               .languageId = document.languageId,
                               .version = document.version,
                               .text = std::string(document.text->text())};
    out.push_back(notification("textDocument/didOpen", lsp::DidOpenTextDocumentParams{item}));
    if (document.is_synced) continue;
    // The text is known to be wrong, and the new daemon must know it too. A version that does not
    // rise says so.
    out.push_back(
        notification("textDocument/didChange",
                     {{"textDocument", {{"uri", document.uri}, {"version", document.version}}},
                      {"contentChanges", Json::array()}}));
  }
}

std::vector<std::string> SessionReplay::give_up(std::string_view why) {
  std::vector<std::string> out;
  for (const OpenRequest& open : std::exchange(open_, {})) {
    const auto reply = answer_without_daemon(open);
    out.push_back(to_text(reply ? *reply
                                : error_reply(open.id,
                                              ResponseCode::kRequestFailed,
                                              open.method + ": " + std::string(why))));
  }
  return out;
}

}  // namespace kinglet::daemon
