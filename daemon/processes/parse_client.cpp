#include "daemon/processes/parse_client.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <spdlog/spdlog.h>

#include "daemon/processes/worker_link.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using wire::MessageType;

namespace {

constexpr int kMaxAttempts = 2;
/// Two requests' worth of deaths with no answer between them: workers do not start, or all of this
/// repository kills them. What waits is failed then instead of starting processes for ever.
constexpr std::size_t kMaxDeathsInARow = 16;
/// Of one scan; more is a worker that does not stop talking.
constexpr std::size_t kMaxScannedPaths = 2'000'000;

}  // namespace

class ParseClient::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::any_io_executor executor, ParseOptions options)
      : executor_(std::move(executor)), options_(std::move(options)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.n_workers, 1); ++i) {
      slots_.push_back(std::make_unique<Slot>(executor_));
    }
  }

  /// One request: how to send it, and what to do with what comes back.
  struct Job {
    std::uint64_t id = 0;
    Urgency urgency = Urgency::kBackground;
    std::chrono::milliseconds deadline{};
    std::function<Result<void>(WorkerLink&, std::uint64_t id)> send;
    /// Takes a frame other than Failed; whether it was the final one.
    std::function<Result<bool>(const wire::Frame&)> take;
    std::function<void(Error)> fail;
    std::function<void()> start_over;  // forgets what a dead worker said
    std::string content_hash;          // what the worker began to parse
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

  void add(const JobPtr& job, std::stop_token stop) {
    job->id = next_request_++;
    auto& queue = job->urgency == Urgency::kInteractive ? interactive_ : background_;
    queue.push_back(job);
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

  void shut_down() {
    is_shut_down_ = true;
    for (const auto& slot : slots_) {
      ++slot->generation;
      slot->link.reset();
      slot->deadline.cancel();
      if (slot->job) background_.push_back(std::exchange(slot->job, nullptr));
    }
    asio::post(executor_, [self = shared_from_this()] { self->pump(); });
  }

  const ParseOptions& options() const { return options_; }

  ParseStatus status() const {
    ParseStatus status{.pids = {},
                       .n_waiting = interactive_.size() + background_.size(),
                       .n_restarts = n_deaths_,
                       .n_quarantined = quarantine_.size()};
    for (const auto& slot : slots_) {
      if (slot->link) status.pids.push_back(slot->link->pid());
      if (slot->job) ++status.n_waiting;
    }
    return status;
  }

 private:
  /// A place for one worker.
  struct Slot {
    explicit Slot(const asio::any_io_executor& executor) : deadline(executor) {}

    std::unique_ptr<WorkerLink> link;
    std::uint64_t generation = 0;  // of the link; a former one's events are not for us
    JobPtr job;
    asio::steady_timer deadline;
  };

  // ---- workers

  Result<void> start_worker(Slot& slot) {
    const auto generation = ++slot.generation;
    const auto weak = weak_from_this();
    // Slots live as long as the core.
    slot.link = TRY(WorkerLink::start(executor_,
                                      options_.spawn,
                                      {.on_frame =
                                           [weak, &slot, generation](wire::Frame frame) {
                                             const auto self = weak.lock();
                                             if (self && slot.generation == generation)
                                               self->on_frame(slot, frame);
                                           },
                                       .on_death =
                                           [weak, &slot, generation](std::string why) {
                                             const auto self = weak.lock();
                                             if (self && slot.generation == generation)
                                               self->on_death(slot, why);
                                           }}));
    return slot.link->send(0, wire::Quarantine{quarantine_});
  }

  void on_death(Slot& slot, const std::string& why) {
    spdlog::warn("parse worker {} {}", slot.link->pid(), why);
    slot.link.reset();
    slot.deadline.cancel();
    ++n_deaths_;
    ++n_deaths_in_a_row_;
    if (const JobPtr job = std::exchange(slot.job, nullptr)) {
      if (!job->content_hash.empty()) blame(job->content_hash);
      if (!job->is_answered) try_again_or_fail(job, why);
    }
    if (n_deaths_in_a_row_ >= kMaxDeathsInARow) give_up(why);
    pump();
  }

  /// The second death by the same content puts it into quarantine.
  void blame(const std::string& content_hash) {
    if (++deaths_by_content_[content_hash] < kMaxAttempts) return;
    deaths_by_content_.erase(content_hash);
    quarantine_.push_back(content_hash);
    for (const auto& slot : slots_) {
      if (slot->link) (void)slot->link->send(0, wire::Quarantine{{content_hash}});
    }
  }

  void try_again_or_fail(const JobPtr& job, const std::string& why) {
    if (job->n_attempts >= kMaxAttempts) {
      return job->answer_error(
          {ErrorCode::kUnavailable, "The parse worker " + why + ", twice, on this request."});
    }
    job->content_hash.clear();
    job->start_over();
    job->id = next_request_++;
    auto& queue = job->urgency == Urgency::kInteractive ? interactive_ : background_;
    queue.push_front(job);
  }

  void give_up(const std::string& why) {
    n_deaths_in_a_row_ = 0;
    const Error error{ErrorCode::kUnavailable,
                      "Parse workers do not stay alive (the last one " + why +
                          "). `kinglet logs parse-worker` may say more."};
    spdlog::error("{}", error.message);
    auto waiting = std::exchange(interactive_, {});
    waiting.insert(waiting.end(), background_.begin(), background_.end());
    background_.clear();
    for (const auto& job : waiting)
      job->answer_error(error);
  }

  // ---- what a worker says

  void on_frame(Slot& slot, const wire::Frame& frame) {
    const Result<void> handled = handle(slot, frame);
    if (!handled && slot.link) slot.link->kill(handled.error().message);
  }

  Result<void> handle(Slot& slot, const wire::Frame& frame) {
    const JobPtr job = slot.job;
    if (!job || frame.request != job->id) {
      return fail(ErrorCode::kCorrupt, "It sent a message that nobody waits for.");
    }
    if (frame.type == MessageType::kParseBegan) {
      job->content_hash = TRY(wire::decode<wire::ParseBegan>(frame)).content_hash;
      return {};
    }
    if (frame.type == MessageType::kFailed) {
      auto failed = TRY(wire::decode<wire::Failed>(frame));
      finish(slot);
      job->answer_error({failed.code, std::move(failed.message)});
    } else {
      const bool is_final = TRY(job->take(frame));
      if (!is_final) return {};
      finish(slot);
    }
    pump();
    return {};
  }

  void finish(Slot& slot) {
    slot.job.reset();
    slot.deadline.cancel();
    n_deaths_in_a_row_ = 0;
  }

  // ---- requests

  JobPtr take_next() {
    auto& queue = interactive_.empty() ? background_ : interactive_;
    if (queue.empty()) return nullptr;
    JobPtr job = std::move(queue.front());
    queue.pop_front();
    return job;
  }

  void pump() {
    for (const auto& slot : slots_) {
      while (!slot->job) {
        const JobPtr job = take_next();
        if (!job) return;
        if (auto given = give(*slot, job); !given) job->answer_error(given.error());
      }
    }
  }

  Result<void> give(Slot& slot, const JobPtr& job) {
    if (is_shut_down_) return kinglet::fail(ErrorCode::kUnavailable, "The daemon is finishing.");
    if (!slot.link) TRY(start_worker(slot));
    TRY(job->send(*slot.link, job->id));
    slot.job = job;
    ++job->n_attempts;
    slot.deadline.expires_after(job->deadline);
    slot.deadline.async_wait([weak = weak_from_this(), &slot, id = job->id](const auto& error) {
      const auto self = weak.lock();
      if (error || !self || !slot.job || slot.job->id != id || !slot.link) return;
      slot.link->kill("It took too long.");
    });
    return {};
  }

  void cancel(const JobPtr& job) {
    if (job->is_answered) return;
    std::erase(interactive_, job);
    std::erase(background_, job);
    for (const auto& slot : slots_) {
      // The worker stays taken until it has acknowledged; its deadline goes on.
      if (slot->job == job && slot->link) (void)slot->link->send(job->id, wire::Cancel{});
    }
    job->answer_error({ErrorCode::kCancelled, "The request was cancelled."});
  }

  asio::any_io_executor executor_;
  ParseOptions options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::deque<JobPtr> interactive_;
  std::deque<JobPtr> background_;
  std::uint64_t next_request_ = 1;
  std::map<std::string, int> deaths_by_content_;
  std::vector<std::string> quarantine_;
  std::size_t n_deaths_ = 0;
  std::size_t n_deaths_in_a_row_ = 0;
  bool is_shut_down_ = false;
};

namespace {

/// Calls `on_done` with the value, unless the job was answered (cancelled) meanwhile.
template <class Job, class T>
void answer(Job& job, const ParseClient::OnDone<T>& on_done, T value) {
  if (std::exchange(job.is_answered, true)) return;
  job.on_stop.reset();
  on_done(std::move(value));
}

/// The job of a request that has one answer, of type Answer.
template <class Answer, class Job, class Request>
std::shared_ptr<Job> single_answer_job(const Request& request,
                                       ParseClient::OnDone<Answer> on_done) {
  auto job = std::make_shared<Job>();
  job->send = [request](WorkerLink& link, std::uint64_t id) { return link.send(id, request); };
  job->take = [job = job.get(), on_done](const wire::Frame& frame) -> Result<bool> {
    answer(*job, on_done, TRY(wire::decode<Answer>(frame)));
    return true;
  };
  job->fail = [on_done](Error error) { on_done(tl::unexpected(std::move(error))); };
  job->start_over = [] {};
  return job;
}

}  // namespace

ParseClient::ParseClient(asio::any_io_executor executor, ParseOptions options)
    : core_(std::make_shared<Core>(std::move(executor), std::move(options))) {}

ParseClient::~ParseClient() = default;

void ParseClient::scan(const wire::Scan& request,
                       std::stop_token stop,
                       OnDone<FoundFiles> on_done) {
  auto job = std::make_shared<Core::Job>();
  auto found = std::make_shared<FoundFiles>();
  job->deadline = core_->options().scan_deadline;
  job->send = [request](WorkerLink& link, std::uint64_t id) { return link.send(id, request); };
  job->take = [job = job.get(), found, on_done](const wire::Frame& frame) -> Result<bool> {
    if (frame.type == MessageType::kFilesFound) {
      auto batch = TRY(wire::decode<wire::FilesFound>(frame));
      std::ranges::move(batch.files, std::back_inserter(found->files));
      std::ranges::move(batch.skipped, std::back_inserter(found->skipped));
      std::ranges::move(batch.folders, std::back_inserter(found->folders));
      if (found->files.size() + found->skipped.size() + found->folders.size() > kMaxScannedPaths) {
        return kinglet::fail(ErrorCode::kCorrupt, "It found more files than any scan may.");
      }
      return false;
    }
    found->n_skipped = TRY(wire::decode<wire::Scanned>(frame)).n_skipped;
    answer(*job, on_done, std::move(*found));
    return true;
  };
  job->fail = [on_done](Error error) { on_done(tl::unexpected(std::move(error))); };
  job->start_over = [found] { *found = {}; };
  core_->add(job, std::move(stop));
}

void ParseClient::parse(const wire::Parse& request,
                        Urgency urgency,
                        std::stop_token stop,
                        OnDone<wire::Parsed> on_done) {
  auto job = single_answer_job<wire::Parsed, Core::Job>(request, std::move(on_done));
  job->urgency = urgency;
  job->deadline = core_->options().file_deadline;
  core_->add(job, std::move(stop));
}

void ParseClient::hash_files(const wire::HashFiles& request,
                             std::stop_token stop,
                             OnDone<wire::Hashed> on_done) {
  auto job = single_answer_job<wire::Hashed, Core::Job>(request, std::move(on_done));
  job->deadline = core_->options().file_deadline;
  core_->add(job, std::move(stop));
}

void ParseClient::read_file(const wire::ReadFile& request,
                            std::stop_token stop,
                            OnDone<wire::FileText> on_done) {
  auto job = single_answer_job<wire::FileText, Core::Job>(request, std::move(on_done));
  job->urgency = Urgency::kInteractive;
  job->deadline = core_->options().file_deadline;
  core_->add(job, std::move(stop));
}

ParseStatus ParseClient::status() const {
  return core_->status();
}

void ParseClient::shut_down() {
  core_->shut_down();
}

}  // namespace kinglet::daemon
