#include "daemon/processes/broker.h"

#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "daemon/processes/handshake.h"
#include "daemon/session.h"
#include "daemon/version.h"
#include "lsp/json.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;
using Socket = asio::local::stream_protocol::socket;

namespace {

constexpr std::chrono::seconds kGreetingTime{10};
/// A client that does not read what it asked for is dropped when so much waits for it.
constexpr std::size_t kMaxUnreadBytes = std::size_t{256} << 20;

/// For co_await: errors land in `error` instead of being thrown.
auto into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

std::string errno_text() {
  return std::generic_category().message(errno);
}

bool belongs_to_us(Socket& socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.uid == ::geteuid();
}

}  // namespace

/// One client's socket. Its coroutine keeps it alive.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// What a connection wants of the daemon.
  struct Host {
    Services& services;
    std::function<void()> stop;  // may be called from within a connection
  };

  Connection(Socket socket, Host host)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), host_(std::move(host)) {}

  /// `host_alive`: keeps what `host_` refers to until the session has gone.
  awaitable<void> run([[maybe_unused]] std::shared_ptr<void> host_alive) {
    const auto self = shared_from_this();
    const auto hello = co_await greet();
    nlohmann::json flags;
    if (!hello) {
      spdlog::warn("a client was turned away: {}", hello.error().message);
      co_return close();
    }
    switch (hello->purpose) {
      case Purpose::kLsp:
        flags = nlohmann::json::parse(hello->settings, nullptr, /*allow_exceptions=*/false);
        co_await serve_lsp(flags);
        break;
      case Purpose::kStatus:
        send(lsp::to_text(host_.services.status()) + "\n");
        co_await drain();
        break;
      case Purpose::kStop:
        // Left open: its end tells the client that all is done.
        spdlog::info("a client asks the daemon to finish");
        is_last_word_ = true;
        host_.stop();
        co_return;
    }
    close();
  }

  awaitable<void> run_session(nlohmann::json flags,
                              [[maybe_unused]] std::shared_ptr<void> host_alive) {
    const auto self = shared_from_this();
    co_await serve_lsp(flags);
    close();
  }

  void close() {
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }

  bool is_session() const { return session_.has_value(); }
  /// Whether this connection is to be closed after everything else.
  bool is_last_word() const { return is_last_word_; }
  /// Ends the session, whose features use the services.
  void end_session() {
    if (session_) session_->end_of_input();
  }
  std::string client_name() const { return session_ ? session_->client_name() : ""; }
  std::vector<std::string> root_paths() const {
    std::vector<std::string> paths;
    if (!session_) return paths;
    for (const auto& root : session_->roots())
      paths.push_back(root.path);
    return paths;
  }

 private:
  awaitable<Result<Hello>> greet() {
    if (!belongs_to_us(socket_)) {
      co_return fail(ErrorCode::kInvalidArgument, "it belongs to another user");
    }
    timer_.expires_after(kGreetingTime);
    timer_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (!error && self) self->close();
    });
    while (incoming_.find('\n') == std::string::npos) {
      const bool got_some = co_await read_some();
      if (!got_some || incoming_.size() > kMaxHelloBytes) {
        co_return fail(ErrorCode::kCorrupt, "it did not greet");
      }
    }
    timer_.cancel();
    auto hello = take_hello();
    if (!hello) co_return hello;
    if (hello->purpose == Purpose::kLsp && hello->protocol != kSocketProtocol) {
      co_await drain();
      co_return fail(ErrorCode::kUnsupported, "it speaks another protocol");
    }
    co_return hello;
  }

  // Coroutines here build no temporary aggregates: g++ 12 destroys some of them twice.

  /// Reads the client's line, which has come, and answers it.
  Result<Hello> take_hello() {
    const auto end = incoming_.find('\n');
    auto hello = TRY(read_hello(std::string_view(incoming_).substr(0, end)));
    incoming_.erase(0, end + 1);
    send(write_welcome({.protocol = kSocketProtocol, .version = kVersion}));
    return hello;
  }

  void begin_session(const nlohmann::json& flags) {
    SessionOptions options;
    options.send = [weak = weak_from_this()](std::string bytes) {
      if (const auto self = weak.lock()) self->send(std::move(bytes));
    };
    options.flags = flags;
    session_.emplace(host_.services, std::move(options));
  }

  awaitable<void> serve_lsp(const nlohmann::json& flags) {
    begin_session(flags);
    session_->receive(std::exchange(incoming_, {}));
    while (!session_->exit_code()) {
      const bool got_some = co_await read_some();
      if (!got_some) break;
      session_->receive(std::exchange(incoming_, {}));
    }
    session_->end_of_input();
    co_await drain();
    session_.reset();
  }

  awaitable<bool> read_some() {
    std::array<char, 64 << 10> buffer;
    error_code error;
    const std::size_t n = co_await socket_.async_read_some(asio::buffer(buffer), into(error));
    if (error) co_return false;
    incoming_.append(buffer.data(), n);
    co_return true;
  }

  void send(std::string bytes) {
    if (!socket_.is_open()) return;
    n_unread_ += bytes.size();
    if (n_unread_ > kMaxUnreadBytes) {
      spdlog::warn("a client does not read; it is dropped");
      return close();
    }
    outgoing_.push_back(std::move(bytes));
    if (outgoing_.size() == 1) write();
  }

  void write() {
    asio::async_write(socket_,
                      asio::buffer(outgoing_.front()),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (error) {
                          self->outgoing_.clear();
                          self->drained_.cancel();
                          return self->close();
                        }
                        self->n_unread_ -= self->outgoing_.front().size();
                        self->outgoing_.pop_front();
                        if (!self->outgoing_.empty()) return self->write();
                        self->drained_.cancel();
                      });
  }

  /// Waits until everything is written, or cannot be.
  awaitable<void> drain() {
    error_code ignored;
    drained_.expires_after(kGreetingTime);
    if (!outgoing_.empty()) co_await drained_.async_wait(into(ignored));
  }

  Socket socket_;
  asio::steady_timer timer_;
  asio::steady_timer drained_{socket_.get_executor()};
  Host host_;
  std::string incoming_;
  std::deque<std::string> outgoing_;
  std::size_t n_unread_ = 0;
  std::optional<Session> session_;
  bool is_last_word_ = false;
};

class Broker::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& io, BrokerOptions options)
      : io_(io),
        idle_exit_(options.idle_exit),
        paths_(options.services.paths),
        services_(io.get_executor(), std::move(options.services)),
        acceptor_(io),
        idle_timer_(io) {
    services_.status = [this] { return status(); };
  }

  Result<void> listen() {
    TRY(take_lock());
    // Whoever left this socket behind is dead, for we hold the lock.
    ::unlink(paths_.socket().c_str());
    error_code error;
    const asio::local::stream_protocol protocol;
    try {
      const asio::local::stream_protocol::endpoint endpoint(paths_.socket().string());
      acceptor_.open(protocol, error);
      if (!error) acceptor_.bind(endpoint, error);
      if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    } catch (const boost::system::system_error&) {
      return fail(ErrorCode::kInvalidArgument,
                  "The socket's path " + paths_.socket().string() +
                      " is too long for Linux. Set XDG_RUNTIME_DIR to a shorter folder.");
    }
    if (error) {
      return fail(ErrorCode::kIo,
                  "Cannot listen on " + paths_.socket().string() + ": " + error.message());
    }
    ::chmod(paths_.socket().c_str(), 0600);
    asio::co_spawn(io_, accept(), asio::detached);
    watch_idleness();
    return {};
  }

  /// `flags`: of a client that is known already, and is not greeted.
  void serve(Socket socket, std::optional<nlohmann::json> flags = std::nullopt) {
    auto connection = std::make_shared<Connection>(
        std::move(socket),
        Connection::Host{.services = services_, .stop = [weak = weak_from_this()] {
                           if (const auto self = weak.lock()) self->finish();
                         }});
    connections_.insert(connection);
    idle_timer_.cancel();
    asio::co_spawn(io_,
                   flags ? connection->run_session(std::move(*flags), shared_from_this())
                         : connection->run(shared_from_this()),
                   [weak = weak_from_this(),
                    ended = std::weak_ptr(connection)](const std::exception_ptr& exception) {
                     if (exception) log_exception(exception);
                     const auto self = weak.lock();
                     const auto gone = ended.lock();
                     if (!self || !gone || gone->is_last_word()) return;
                     self->connections_.erase(gone);
                     self->watch_idleness();
                   });
  }

  void finish() {
    if (is_finishing_) return;
    is_finishing_ = true;
    spdlog::info("the daemon finishes");
    error_code ignored;
    if (acceptor_.is_open()) {
      acceptor_.close(ignored);
      ::unlink(paths_.socket().c_str());
    }
    idle_timer_.cancel();
    for (const auto& connection : connections_) {
      // Who asked for this hears the end of it when the socket closes, with this object.
      if (connection->is_last_word()) continue;
      connection->end_session();
      connection->close();
    }
    services_.engine.shut_down();
    services_.parser.shut_down();
    services_.clang.shut_down();
    services_.index_thread.shut_down();
    if (on_finish_) on_finish_();
  }

  void on_finish(std::function<void()> call) { on_finish_ = std::move(call); }

  asio::io_context& io() { return io_; }

 private:
  static void log_exception(const std::exception_ptr& exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      spdlog::error("a bug: a connection ended with {}", error.what());
    }
  }

  Result<void> take_lock() {
    const std::string file = paths_.daemon_lock().string();
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.is_open()) return fail(ErrorCode::kIo, "Cannot open " + file + ": " + errno_text());
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      std::array<char, 32> pid{};
      const ssize_t n = ::pread(fd.get(), pid.data(), pid.size() - 1, 0);
      return fail(ErrorCode::kUnavailable,
                  "A daemon runs already" +
                      (n > 0 ? " (process " + std::string(pid.data()) + ")" : std::string()) +
                      ". `kinglet stop` ends it.");
    }
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
      return fail(ErrorCode::kIo, "Cannot write " + file + ": " + errno_text());
    }
    lock_ = std::move(fd);
    return {};
  }

  awaitable<void> accept() {
    const auto self = shared_from_this();
    while (acceptor_.is_open()) {
      error_code error;
      Socket socket = co_await acceptor_.async_accept(into(error));
      if (!error) {
        serve(std::move(socket));
      } else if (error != asio::error::operation_aborted) {
        // Out of descriptors, most likely: others may close theirs.
        spdlog::error("cannot accept a client: {}", error.message());
        asio::steady_timer pause(io_, std::chrono::milliseconds(100));
        co_await pause.async_wait(into(error));
      }
    }
  }

  void watch_idleness() {
    if (is_finishing_ || idle_exit_.count() == 0 || !connections_.empty()) return;
    idle_timer_.expires_after(idle_exit_);
    idle_timer_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (error || !self || !self->connections_.empty()) return;
      spdlog::info("no client for {} s", self->idle_exit_.count());
      self->finish();
    });
  }

  nlohmann::json status() const {
    const auto engine = services_.engine.status();
    const auto parse = services_.parser.status();
    const auto clang = services_.clang.status();
    nlohmann::json clients = nlohmann::json::array();
    for (const auto& connection : connections_) {
      if (!connection->is_session()) continue;
      clients.push_back({{"name", connection->client_name()}, {"roots", connection->root_paths()}});
    }
    nlohmann::json status = {
        {"version", kVersion},
        {"pid", ::getpid()},
        {"uptimeSeconds",
         std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began_)
             .count()},
        {"clients", std::move(clients)},
        {"engine",
         {{"state", name_of(engine.state)},
          {"pid", engine.pid},
          {"loadFraction", engine.load_fraction},
          {"problem", engine.problem},
          {"waiting", engine.n_waiting},
          {"restarts", engine.n_restarts}}},
        {"parseWorkers",
         {{"pids", parse.pids},
          {"waiting", parse.n_waiting},
          {"restarts", parse.n_deaths},
          {"quarantined", parse.n_quarantined}}},
        {"clangWorker",
         {{"pid", clang.pids.empty() ? 0 : clang.pids.front()},
          {"waiting", clang.n_waiting},
          {"restarts", clang.n_deaths},
          {"quarantined", clang.n_quarantined}}}};
    if (const auto model = services_.engine.model()) {
      status["model"] = {{"name", model->info.name},
                         {"architecture", model->info.architecture},
                         {"backend", model->info.backend},
                         {"device", model->info.device},
                         {"driver", model->info.driver},
                         {"onSoftwareGpu", model->info.on_software_gpu},
                         {"contextTokens", model->info.context_tokens},
                         {"modelBytes", model->info.model_bytes},
                         {"deviceBytes", model->info.device_bytes},
                         {"adapters", nlohmann::json::array()}};
      for (const wire::Adapter& adapter : engine.adapters) {
        status["model"]["adapters"].push_back({{"file", adapter.path}, {"scale", adapter.scale}});
      }
    }
    return status;
  }

  UniqueFd lock_;  // let go of last
  asio::io_context& io_;
  std::chrono::seconds idle_exit_;
  Paths paths_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Services services_;
  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer idle_timer_;
  std::set<std::shared_ptr<Connection>> connections_;
  bool is_finishing_ = false;
  std::function<void()> on_finish_;
};

Broker::Broker(asio::io_context& io, BrokerOptions options)
    : core_(std::make_shared<Core>(io, std::move(options))) {}

Broker::~Broker() {
  try {
    core_->finish();
  } catch (...) {  // NOLINT(bugprone-empty-catch): out of memory while saying goodbye
  }
}

Result<void> Broker::listen() {
  return core_->listen();
}

void Broker::serve(UniqueFd socket, nlohmann::json flags) {
  core_->serve(Socket(core_->io(), asio::local::stream_protocol(), socket.release()),
               std::move(flags));
}

void Broker::finish() {
  core_->finish();
}

void Broker::on_finish(std::function<void()> call) {
  core_->on_finish(std::move(call));
}

}  // namespace kinglet::daemon
