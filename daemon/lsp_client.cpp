#include "daemon/lsp_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>

namespace kinglet::daemon {

LspClient::LspClient(Process process, UniqueFd socket)
    : process_(std::move(process)), socket_(std::move(socket)) {}

Result<LspClient> LspClient::start(std::vector<std::string> arguments, std::string program) {
  auto [ours, theirs] = TRY(make_socket_pair());
  SpawnOptions options;
  options.program = std::move(program);
  options.arguments = std::move(arguments);
  options.standard_io_fd = theirs.get();
  return LspClient(TRY(Process::spawn(options)), std::move(ours));
}

Result<void> LspClient::send(const lsp::Json& message) {
  const std::string frame = lsp::write_frame(lsp::to_text(message));
  std::string_view rest = frame;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kUnavailable, "the Kinglet server ended; see kinglet logs");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<lsp::Json> LspClient::receive() {
  while (bodies_.empty()) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(ErrorCode::kUnavailable, "the Kinglet server ended; see kinglet logs");
    for (lsp::Frame& frame :
         reader_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(n)))) {
      bodies_.insert(bodies_.begin(), TRY(std::move(frame)));
    }
  }
  const std::string body = std::move(bodies_.back());
  bodies_.pop_back();
  return lsp::parse_json(body);
}

Result<void> LspClient::notify(std::string_view method, lsp::Json params) {
  return send({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

Result<std::int64_t> LspClient::send_request(std::string_view method, lsp::Json params) {
  const std::int64_t id = ++last_id_;
  TRY(send({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}}));
  return id;
}

Result<lsp::Json> LspClient::wait_for(std::int64_t id) {
  while (!answers_.contains(id)) {
    lsp::Json message = TRY(receive());
    if (!message.contains("method")) {
      const lsp::Json answered = message["id"];
      if (answered.is_number_integer()) answers_[answered.get<std::int64_t>()] = std::move(message);
    } else if (message.contains("id")) {
      TRY(send({{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", nullptr}}));
    } else if (on_notification_) {
      on_notification_(message["method"].get<std::string>(), message["params"]);
    }
  }
  lsp::Json answer = std::move(answers_.extract(id).mapped());
  if (answer.contains("error")) {
    return fail(ErrorCode::kUnavailable,
                answer["error"].value("message", "an error without a message"));
  }
  return std::move(answer["result"]);
}

Result<lsp::Json> LspClient::request(std::string_view method, lsp::Json params) {
  return wait_for(TRY(send_request(method, std::move(params))));
}

}  // namespace kinglet::daemon
