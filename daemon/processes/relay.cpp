#include "daemon/processes/relay.h"

#include <array>
#include <chrono>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "daemon/processes/session_replay.h"
#include "daemon/processes/spawn.h"
#include "lsp/json.h"
#include "lsp/transport.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Socket = asio::local::stream_protocol::socket;

namespace {

/// So many daemons may go away within so much time; then something is wrong that a new one does not
/// cure.
constexpr std::size_t kMaxLostDaemons = 5;
constexpr std::chrono::seconds kLostDaemonsTime{60};

auto into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

/// Messages on their way to one side, written one after the other.
template <class Stream>
class Outbox {
 public:
  explicit Outbox(Stream& stream) : stream_(stream), progress_(stream.get_executor()) {}

  void push(const std::string& body) {
    bytes_.push_back(lsp::write_frame(body));
    n_waiting_ += bytes_.back().size();
    if (bytes_.size() == 1) write();
  }

  /// Waits until at most `limit` bytes are unwritten: who fills the box reads no faster than its
  /// other side does.
  awaitable<void> drain(std::size_t limit) {
    error_code ignored;
    while (n_waiting_ > limit) {
      progress_.expires_at(Clock::time_point::max());
      co_await progress_.async_wait(into(ignored));
    }
  }

  /// Forgets what is not written; the next message begins anew.
  void clear() {
    // What is being written is the pending operation's until that has ended.
    ++generation_;
    bytes_.clear();
    n_waiting_ = 0;
    progress_.cancel();
  }

 private:
  void write() {
    auto bytes = std::make_shared<std::string>(std::move(bytes_.front()));
    asio::async_write(
        stream_,
        asio::buffer(*bytes),
        [this, bytes, generation = generation_](const error_code& error, std::size_t) {
          if (generation != generation_) return;
          if (error) return clear();
          n_waiting_ -= bytes->size();
          bytes_.pop_front();
          progress_.cancel();
          if (!bytes_.empty()) write();
        });
  }

  Stream& stream_;
  asio::steady_timer progress_;
  std::deque<std::string> bytes_;
  std::size_t n_waiting_ = 0;
  int generation_ = 0;
};

/// Only whole messages go on, so that a daemon's death leaves no half of one behind.
class Relay {
 public:
  Relay(asio::io_context& io, RelayOptions options)
      : io_(io),
        input_(io, options.input.release()),
        output_(io, options.output.release()),
        daemon_(io),
        connect_(std::move(options.connect)),
        on_end_(std::move(options.on_end)) {}

  Result<void> start() {
    auto socket = TRY(connect_());
    daemon_.assign(asio::local::stream_protocol(), socket.release());
    spawn(from_editor());
    spawn(from_daemon());
    return {};
  }

  Result<int> outcome() const {
    if (problem_) return tl::unexpected(*problem_);
    return replay_.exit_code();
  }

 private:
  void spawn(awaitable<void> coroutine) {
    asio::co_spawn(io_, std::move(coroutine), [](const std::exception_ptr& exception) {
      if (exception) std::rethrow_exception(exception);
    });
  }

  // ---- the editor

  awaitable<void> from_editor() {
    std::array<char, 64 << 10> buffer;
    error_code error;
    while (!replay_.has_exited() && !is_over_) {
      const std::size_t n = co_await input_.async_read_some(asio::buffer(buffer), into(error));
      if (error) break;
      for (auto& frame : editor_frames_.feed({buffer.data(), n})) {
        if (frame) {
          take_from_editor(std::move(*frame));
        } else {
          to_editor_.push(parse_error(frame.error().message));
        }
      }
      co_await to_daemon_.drain(kMaxUnwritten);
    }
    has_input_ended_ = true;
    if (!is_connected_) co_return end();
    // The daemon ends the session and closes its side; from_daemon() sees that.
    co_await to_daemon_.drain(0);
    daemon_.shutdown(Socket::shutdown_send, error);
  }

  void take_from_editor(std::string body) {
    if (auto message = replay_.from_editor(std::move(body))) to_daemon_.push(*message);
    if (is_connected_) return;
    // Whoever stopped the daemon may have wanted its memory: a new one comes once it is needed.
    if (!replay_.is_over()) return reconnect();
    answer_open_requests();
  }

  static std::string parse_error(const std::string& message) {
    return lsp::to_text(
        {{"jsonrpc", "2.0"}, {"id", nullptr}, {"error", {{"code", -32700}, {"message", message}}}});
  }

  // ---- the daemon

  awaitable<void> from_daemon() {
    std::array<char, 64 << 10> buffer;
    lsp::FrameReader frames;
    error_code error;
    for (;;) {
      const std::size_t n = co_await daemon_.async_read_some(asio::buffer(buffer), into(error));
      if (error) break;
      for (auto& frame : frames.feed({buffer.data(), n})) {
        if (!frame) continue;
        auto message = replay_.from_daemon(std::move(*frame));
        if (!message) co_return give_up(message.error());
        if (*message) to_editor_.push(**message);
      }
      co_await to_editor_.drain(kMaxUnwritten);
    }
    lose_daemon();
  }

  void lose_daemon() {
    if (is_over_) return;
    is_connected_ = false;
    error_code ignored;
    daemon_.close(ignored);
    to_daemon_.clear();
    for (const auto& message : replay_.daemon_lost())
      to_editor_.push(message);
    if (replay_.is_over()) answer_open_requests();
    if (has_input_ended_) return end();
    spdlog::warn("the daemon went away");
    if (!replay_.is_over() && replay_.has_open_requests()) reconnect();
  }

  /// After `shutdown` no daemon is started for them.
  void answer_open_requests() {
    for (const auto& message : replay_.give_up("The session is over."))
      to_editor_.push(message);
  }

  void reconnect() {
    const auto now = Clock::now();
    lost_.push_back(now);
    while (now - lost_.front() > kLostDaemonsTime)
      lost_.pop_front();
    if (lost_.size() > kMaxLostDaemons) {
      return give_up({ErrorCode::kUnavailable,
                      "The daemon went away again and again. `kinglet logs` may say why."});
    }
    auto socket = connect_();
    if (!socket) return give_up(socket.error());
    daemon_.assign(asio::local::stream_protocol(), socket->release());
    is_connected_ = true;
    for (const auto& message : replay_.daemon_found())
      to_daemon_.push(message);
    spawn(from_daemon());
  }

  // ---- the end

  void give_up(const Error& error) {
    problem_ = error;
    for (const auto& message : replay_.give_up(error.message))
      to_editor_.push(message);
    end();
  }

  void end() {
    if (is_over_) return;
    is_over_ = true;
    spawn(flush_and_close());
  }

  awaitable<void> flush_and_close() {
    co_await to_editor_.drain(0);
    error_code ignored;
    daemon_.close(ignored);
    input_.close(ignored);
    output_.close(ignored);
    if (on_end_) on_end_();
  }

  static constexpr std::size_t kMaxUnwritten = std::size_t{1} << 20;

  asio::io_context& io_;
  asio::posix::stream_descriptor input_;
  asio::posix::stream_descriptor output_;
  Socket daemon_;
  std::function<Result<UniqueFd>()> connect_;
  std::function<void()> on_end_;
  Outbox<asio::posix::stream_descriptor> to_editor_{output_};
  Outbox<Socket> to_daemon_{daemon_};
  lsp::FrameReader editor_frames_;
  SessionReplay replay_;
  std::deque<Clock::time_point> lost_;
  bool is_connected_ = true;
  bool has_input_ended_ = false;
  bool is_over_ = false;
  std::optional<Error> problem_;
};

}  // namespace

Result<int> run_relay(RelayOptions options) {
  asio::io_context io(1);
  Relay relay(io, std::move(options));
  TRY(relay.start());
  io.run();
  return relay.outcome();
}

Result<int> run_standalone(UniqueFd input,
                           UniqueFd output,
                           nlohmann::json flags,
                           BrokerOptions options) {
  asio::io_context io(1);
  Broker broker(io, std::move(options));
  auto [ours, theirs] = TRY(make_socket_pair());
  broker.serve(std::move(theirs), std::move(flags));
  Relay relay(io,
              {.input = std::move(input),
               .output = std::move(output),
               .connect = [&ours = ours]() -> Result<UniqueFd> {
                 if (ours.is_open()) return std::move(ours);
                 return fail(ErrorCode::kUnavailable, "The session ended within Kinglet: a bug.");
               },
               .on_end = [&] { broker.finish(); }});
  TRY(relay.start());
  io.run();
  return relay.outcome();
}

}  // namespace kinglet::daemon
