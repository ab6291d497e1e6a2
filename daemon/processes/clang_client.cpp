#include "daemon/processes/clang_client.h"

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <spdlog/spdlog.h>

#include "daemon/processes/worker_link.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using wire::MessageType;

namespace {

constexpr int kMaxAttempts = 2;
/// Deaths with no answer between them after which what waits is failed: workers do not start, or
/// all of this repository kills them.
constexpr std::size_t kMaxDeathsInARow = 16;

}  // namespace

class ClangClient::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::any_io_executor executor, ClangOptions options)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        deadline_(executor_),
        idle_(executor_) {}

  struct Job {
    std::uint64_t id = 0;
    std::string root;
    Urgency urgency = Urgency::kBackground;
    std::function<Result<void>(WorkerLink&, std::uint64_t id)> send;
    std::function<Result<void>(const wire::Frame&)> take;  // the final answer, other than Failed
    std::function<void(Error)> fail;
    std::string content_hash;  // what the worker began to parse
    int n_attempts = 0;
    bool is_answered = false;
    std::optional<std::stop_callback<std::function<void()>>> on_stop;

    void answer_error(Error error) {
      if (std::exchange(is_answered, true)) return;
      on_stop.reset();
      fail(std::move(error));
    }
  };
  using JobPtr = std::shared_ptr<Job>;

  template <class Answer, class Request>
  void add(const Request& request, Urgency urgency, std::stop_token stop, OnDone<Answer> on_done) {
    auto job = std::make_shared<Job>();
    job->root = request.root;
    job->urgency = urgency;
    job->send = [request](WorkerLink& link, std::uint64_t id) { return link.send(id, request); };
    job->take = [raw = job.get(), on_done](const wire::Frame& frame) -> Result<void> {
      auto answer = TRY(wire::decode<Answer>(frame));
      if (std::exchange(raw->is_answered, true)) return {};
      raw->on_stop.reset();
      on_done(std::move(answer));
      return {};
    };
    job->fail = [on_done](Error error) { on_done(tl::unexpected(std::move(error))); };
    enqueue(job, std::move(stop));
  }

  void shut_down() {
    is_shut_down_ = true;
    retire();
    if (job_) queue_of(*job_).push_front(std::exchange(job_, nullptr));
    asio::post(executor_, [self = shared_from_this()] { self->pump(); });
  }

  ClangStatus status() const {
    return {.pid = link_ ? std::optional(link_->pid()) : std::nullopt,
            .n_waiting = interactive_.size() + background_.size() + (job_ ? 1U : 0U),
            .n_deaths = n_deaths_,
            .n_quarantined = quarantine_.size()};
  }

 private:
  std::deque<JobPtr>& queue_of(const Job& job) {
    return job.urgency == Urgency::kInteractive ? interactive_ : background_;
  }

  void enqueue(const JobPtr& job, std::stop_token stop) {
    job->id = next_request_++;
    queue_of(*job).push_back(job);
    job->on_stop.emplace(
        std::move(stop),
        [core = weak_from_this(), executor = executor_, weak = std::weak_ptr(job)] {
          asio::post(executor, [core, weak] {
            const auto self = core.lock();
            const auto stopped = weak.lock();
            if (self && stopped) self->cancel(stopped);
          });
        });
    asio::post(executor_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->pump();
    });
  }

  // ---- the worker

  Result<void> start_worker(const std::string& root) {
    if (options_.spawn.arguments.empty()) {
      return kinglet::fail(ErrorCode::kUnavailable, "This process has no clang worker.");
    }
    const auto generation = ++generation_;
    const auto weak = weak_from_this();
    link_ = TRY(WorkerLink::start(executor_,
                                  options_.spawn,
                                  {.on_frame =
                                       [weak, generation](wire::Frame frame) {
                                         const auto self = weak.lock();
                                         if (self && self->generation_ == generation)
                                           self->on_frame(frame);
                                       },
                                   .on_death =
                                       [weak, generation](std::string why) {
                                         const auto self = weak.lock();
                                         if (self && self->generation_ == generation)
                                           self->on_death(why);
                                       }}));
    root_ = root;
    return link_->send(0, wire::Quarantine{quarantine_});
  }

  /// Ends a worker that is not at fault.
  void retire() {
    ++generation_;
    link_.reset();
    deadline_.cancel();
    idle_.cancel();
  }

  void on_death(const std::string& why) {
    spdlog::warn("clang worker {} {}", link_->pid(), why);
    retire();
    ++n_deaths_;
    ++n_deaths_in_a_row_;
    if (const JobPtr job = std::exchange(job_, nullptr)) {
      if (!job->content_hash.empty()) blame(job->content_hash);
      if (!job->is_answered) try_again_or_fail(job, why);
    }
    if (n_deaths_in_a_row_ >= kMaxDeathsInARow) give_up(why);
    pump();
  }

  void blame(const std::string& content_hash) {
    if (++deaths_by_content_[content_hash] < kMaxAttempts) return;
    deaths_by_content_.erase(content_hash);
    quarantine_.push_back(content_hash);
  }

  void try_again_or_fail(const JobPtr& job, const std::string& why) {
    if (job->n_attempts >= kMaxAttempts) {
      return job->answer_error(
          {ErrorCode::kUnavailable, "The clang worker " + why + ", twice, on this request."});
    }
    job->content_hash.clear();
    job->id = next_request_++;
    queue_of(*job).push_front(job);
  }

  void give_up(const std::string& why) {
    n_deaths_in_a_row_ = 0;
    const Error error{ErrorCode::kUnavailable,
                      "Clang workers do not stay alive (the last one " + why +
                          "). `kinglet logs clang-worker` may say more."};
    spdlog::error("{}", error.message);
    auto waiting = std::exchange(interactive_, {});
    waiting.insert(waiting.end(), background_.begin(), background_.end());
    background_.clear();
    for (const auto& job : waiting)
      job->answer_error(error);
  }

  void on_frame(const wire::Frame& frame) {
    const Result<void> handled = handle(frame);
    if (!handled && link_) link_->kill(handled.error().message);
  }

  Result<void> handle(const wire::Frame& frame) {
    const JobPtr job = job_;
    if (!job || frame.request != job->id) {
      return kinglet::fail(ErrorCode::kCorrupt, "It sent a message that nobody waits for.");
    }
    if (frame.type == MessageType::kParseBegan) {
      job->content_hash = TRY(wire::decode<wire::ParseBegan>(frame)).content_hash;
      return {};
    }
    if (frame.type == MessageType::kFailed) {
      auto failed = TRY(wire::decode<wire::Failed>(frame));
      finish();
      job->answer_error({failed.code, std::move(failed.message)});
    } else {
      TRY(job->take(frame));
      finish();
    }
    pump();
    return {};
  }

  void finish() {
    job_.reset();
    deadline_.cancel();
    n_deaths_in_a_row_ = 0;
  }

  // ---- requests

  void pump() {
    while (!job_) {
      auto& queue = interactive_.empty() ? background_ : interactive_;
      if (queue.empty()) return rest();
      const JobPtr job = std::move(queue.front());
      queue.pop_front();
      if (auto given = give(job); !given) job->answer_error(given.error());
    }
  }

  Result<void> give(const JobPtr& job) {
    if (is_shut_down_) return kinglet::fail(ErrorCode::kUnavailable, "The daemon is finishing.");
    idle_.cancel();
    if (link_ && root_ != job->root) retire();
    if (!link_) TRY(start_worker(job->root));
    TRY(job->send(*link_, job->id));
    job_ = job;
    ++job->n_attempts;
    deadline_.expires_after(job->urgency == Urgency::kInteractive ? options_.interactive_deadline
                                                                  : options_.unit_deadline);
    deadline_.async_wait([weak = weak_from_this(), id = job->id](const auto& error) {
      const auto self = weak.lock();
      if (error || !self || !self->job_ || self->job_->id != id || !self->link_) return;
      self->link_->kill("It took too long.");
    });
    return {};
  }

  /// Nothing to do: libclang's memory goes back after a while.
  void rest() {
    if (!link_) return;
    idle_.expires_after(options_.idle_exit);
    idle_.async_wait([weak = weak_from_this(), generation = generation_](const auto& error) {
      const auto self = weak.lock();
      if (error || !self || self->generation_ != generation || self->job_) return;
      self->retire();
    });
  }

  void cancel(const JobPtr& job) {
    if (job->is_answered) return;
    std::erase(queue_of(*job), job);
    // libclang does not stop halfway: the worker stays taken until it is done, or its time is up.
    job->answer_error({ErrorCode::kCancelled, "The request was cancelled."});
  }

  asio::any_io_executor executor_;
  ClangOptions options_;
  asio::steady_timer deadline_;
  asio::steady_timer idle_;
  std::unique_ptr<WorkerLink> link_;
  std::uint64_t generation_ = 0;  // of the link; a former one's events are not for us
  std::string root_;              // that the worker serves
  JobPtr job_;
  std::deque<JobPtr> interactive_;
  std::deque<JobPtr> background_;
  std::uint64_t next_request_ = 1;
  std::map<std::string, int> deaths_by_content_;
  std::vector<std::string> quarantine_;
  std::size_t n_deaths_ = 0;
  std::size_t n_deaths_in_a_row_ = 0;
  bool is_shut_down_ = false;
};

ClangClient::ClangClient(asio::any_io_executor executor, ClangOptions options)
    : core_(std::make_shared<Core>(std::move(executor), std::move(options))) {}

ClangClient::~ClangClient() = default;

void ClangClient::plan(const wire::ClangPlan& request,
                       std::stop_token stop,
                       OnDone<wire::ClangPlanned> on_done) {
  core_->add(request, Urgency::kInteractive, std::move(stop), std::move(on_done));
}

void ClangClient::index(const wire::ClangIndex& request,
                        Urgency urgency,
                        std::stop_token stop,
                        OnDone<wire::ClangIndexed> on_done) {
  core_->add(request, urgency, std::move(stop), std::move(on_done));
}

void ClangClient::hover(const wire::ClangHover& request,
                        std::stop_token stop,
                        OnDone<wire::ClangHovered> on_done) {
  core_->add(request, Urgency::kInteractive, std::move(stop), std::move(on_done));
}

ClangStatus ClangClient::status() const {
  return core_->status();
}

void ClangClient::shut_down() {
  core_->shut_down();
}

}  // namespace kinglet::daemon
