#include "daemon/processes/worker_link.h"

#include <array>
#include <deque>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>

namespace kinglet::daemon {

namespace asio = boost::asio;
using boost::system::error_code;

/// Kept alive by its pending operations, so that a link may go at any time: the process is then
/// killed, and reaped once the kernel says that it has ended.
class WorkerLink::State : public std::enable_shared_from_this<State> {
 public:
  State(const asio::any_io_executor& executor, UniqueFd socket, Process process, Events events)
      : socket_(executor, asio::local::stream_protocol(), socket.release()),
        pidfd_(executor, process.pidfd()),
        process_(std::move(process)),
        events_(std::move(events)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  // The descriptor belongs to process_.
  ~State() { pidfd_.release(); }

  void start() {
    watch();
    read();
  }

  pid_t pid() const { return process_.pid(); }

  void send(std::string bytes) {
    if (finished_reading_) return;
    outgoing_.push_back(std::move(bytes));
    if (outgoing_.size() == 1) write();
  }

  void kill(std::string why) {
    if (reason_.empty()) reason_ = std::move(why);
    is_condemned_ = true;
    process_.kill();
  }

  void abandon() {
    events_ = {};
    process_.kill();
  }

 private:
  void watch() {
    pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const error_code& error) {
                        if (error) return;
                        self->exit_status_ = self->process_.wait();
                        self->announce_death();
                      });
  }

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](const error_code& error, std::size_t n) {
                              if (error) return self->finish_reading();
                              self->reader_.feed({self->buffer_.data(), n});
                              if (self->deliver()) self->read();
                            });
  }

  /// Hands on what has arrived. False when the worker broke the rules: it is ended then.
  bool deliver() {
    for (;;) {
      auto frame = reader_.next();
      if (!frame) {
        kill(frame.error().message);
        finish_reading();
        return false;
      }
      if (!*frame) return true;
      // What it had said before is in the buffer, too, and no better than what it is killed for.
      if (is_condemned_) return true;
      // A copy: the handler may destroy the link, and with it events_.
      if (const auto on_frame = events_.on_frame) on_frame(std::move(**frame));
    }
  }

  void write() {
    asio::async_write(socket_,
                      asio::buffer(outgoing_.front()),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        // Reading notices, too, and after the worker's last words.
                        if (error) return;
                        self->outgoing_.pop_front();
                        if (!self->outgoing_.empty()) self->write();
                      });
  }

  void finish_reading() {
    finished_reading_ = true;
    error_code ignored;
    socket_.close(ignored);
    // One that closed its socket and lives on is of no use to anyone.
    process_.kill();
    announce_death();
  }

  void announce_death() {
    if (!finished_reading_ || !exit_status_) return;
    const std::string why = describe_exit(*exit_status_) + (reason_.empty() ? "" : ": " + reason_);
    const Events events = std::exchange(events_, {});
    if (events.on_death) events.on_death(why);
  }

  asio::local::stream_protocol::socket socket_;
  asio::posix::stream_descriptor pidfd_;
  Process process_;
  Events events_;
  std::array<char, 64 << 10> buffer_{};
  wire::FrameReader reader_;
  std::deque<std::string> outgoing_;
  std::string reason_;
  std::optional<int> exit_status_;
  bool finished_reading_ = false;
  bool is_condemned_ = false;
};

Result<std::unique_ptr<WorkerLink>> WorkerLink::start(const asio::any_io_executor& executor,
                                                      SpawnOptions options,
                                                      Events events) {
  auto [ours, theirs] = TRY(make_socket_pair());
  options.inherited_fd = theirs.get();
  auto process = TRY(Process::spawn(options));
  auto state =
      std::make_shared<State>(executor, std::move(ours), std::move(process), std::move(events));
  state->start();
  return std::unique_ptr<WorkerLink>(new WorkerLink(std::move(state)));
}

WorkerLink::~WorkerLink() {
  state_->abandon();
}

pid_t WorkerLink::pid() const {
  return state_->pid();
}

void WorkerLink::kill(std::string why) {
  state_->kill(std::move(why));
}

void WorkerLink::send_bytes(std::string bytes) {
  state_->send(std::move(bytes));
}

}  // namespace kinglet::daemon
