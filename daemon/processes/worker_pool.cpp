#include "daemon/processes/worker_pool.h"

#include <algorithm>
#include <deque>
#include <map>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <spdlog/spdlog.h>

#include "daemon/process_memory.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using wire::MessageType;

namespace {

constexpr int kMaxAttempts = 2;
/// Deaths with no answer between them after which what waits is failed, instead of starting
/// processes for ever: workers do not start, or all of this repository kills them.
constexpr std::size_t kMaxDeathsInARow = 16;
constexpr std::chrono::milliseconds kLookEvery{200};

}  // namespace

class WorkerPool::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::any_io_executor executor, WorkerPoolOptions options)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        idle_(executor_),
        next_look_(executor_) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.n_workers, 1); ++i) {
      slots_.push_back(std::make_unique<Slot>(executor_));
    }
  }

  void add(WorkerRequest request, std::stop_token stop) {
    const auto job = std::make_shared<Job>(std::move(request));
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

  void shut_down() {
    is_shut_down_ = true;
    idle_.cancel();
    next_look_.cancel();
    for (const auto& slot : slots_) {
      retire(*slot);
      if (slot->job) background_.push_back(std::exchange(slot->job, nullptr));
    }
    asio::post(executor_, [self = shared_from_this()] { self->pump(); });
  }

  WorkerPoolStatus status() const {
    WorkerPoolStatus status{.pids = {},
                            .n_waiting = interactive_.size() + background_.size(),
                            .n_deaths = n_deaths_,
                            .n_quarantined = quarantine_.size()};
    for (const auto& slot : slots_) {
      if (slot->link) status.pids.push_back(slot->link->pid());
      if (slot->job) ++status.n_waiting;
    }
    return status;
  }

 private:
  struct Job {
    explicit Job(WorkerRequest wanted) : request(std::move(wanted)) {}

    WorkerRequest request;
    std::uint64_t id = 0;      // another one for each attempt
    std::string content_hash;  // what the worker began to parse
    int n_attempts = 0;
    bool is_answered = false;
    std::optional<std::stop_callback<std::function<void()>>> on_stop;

    void answer(const std::function<void()>& deliver) {
      if (std::exchange(is_answered, true)) return;
      on_stop.reset();
      deliver();
    }
    void answer_error(Error error) {
      answer([&] { request.fail(std::move(error)); });
    }
  };
  using JobPtr = std::shared_ptr<Job>;

  /// A place for one worker.
  struct Slot {
    explicit Slot(const asio::any_io_executor& executor) : deadline(executor) {}

    std::unique_ptr<WorkerLink> link;
    std::uint64_t generation = 0;  // of the link; a former one's events are not for us
    std::string root;              // that the link serves
    JobPtr job;
    asio::steady_timer deadline;
  };

  std::deque<JobPtr>& queue_of(const Job& job) {
    return job.request.urgency == Urgency::kInteractive ? interactive_ : background_;
  }

  // ---- workers

  Result<void> start_worker(Slot& slot, const std::string& root) {
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
    slot.root = root;
    return slot.link->send(0, wire::Quarantine{quarantine_});
  }

  /// Ends a worker, if there is one, without blaming anybody.
  static void retire(Slot& slot) {
    ++slot.generation;
    slot.link.reset();
    slot.deadline.cancel();
  }

  void on_death(Slot& slot, const std::string& why) {
    spdlog::warn("{} worker {} {}", options_.kind, slot.link->pid(), why);
    retire(slot);
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
          {ErrorCode::kUnavailable,
           "The " + options_.kind + " worker " + why + ", twice, on this request."});
    }
    job->content_hash.clear();
    job->request.start_over();
    job->id = next_request_++;
    queue_of(*job).push_front(job);
  }

  void give_up(const std::string& why) {
    n_deaths_in_a_row_ = 0;
    const Error error{ErrorCode::kUnavailable,
                      "The " + options_.kind + " workers do not stay alive (the last one " + why +
                          "). `kinglet logs " + options_.kind + "-worker` may say more."};
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
      return kinglet::fail(ErrorCode::kCorrupt, "It sent a message that nobody waits for.");
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
      const auto deliver = TRY(job->request.take(frame));
      if (!deliver) return {};
      finish(slot);
      job->answer(*deliver);
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

  static bool is_free(const std::unique_ptr<Slot>& slot) { return slot->job == nullptr; }

  Slot& slot_for(const Job& job) {
    const auto& wanted = slots_[job.request.affinity % slots_.size()];
    if (job.request.affinity != 0 && is_free(wanted)) return *wanted;
    return **std::ranges::find_if(slots_, is_free);
  }

  void pump() {
    while (std::ranges::any_of(slots_, is_free)) {
      const JobPtr job = take_next();
      if (!job) return rest();
      if (auto given = give(slot_for(*job), job); !given) job->answer_error(given.error());
    }
  }

  Result<void> give(Slot& slot, const JobPtr& job) {
    const WorkerRequest& request = job->request;
    if (is_shut_down_) return kinglet::fail(ErrorCode::kUnavailable, "The daemon is finishing.");
    if (options_.spawn.program == SpawnOptions().program && options_.spawn.arguments.empty()) {
      return kinglet::fail(ErrorCode::kUnavailable,
                           "This process has no " + options_.kind + " worker.");
    }
    if (slot.link && slot.root != request.root) retire(slot);
    if (!slot.link) TRY(start_worker(slot, request.root));
    TRY(request.send(*slot.link, job->id));
    slot.job = job;
    ++job->n_attempts;
    slot.deadline.expires_after(request.deadline);
    slot.deadline.async_wait([weak = weak_from_this(), &slot, id = job->id](const auto& error) {
      const auto self = weak.lock();
      if (error || !self || !slot.job || slot.job->id != id || !slot.link) return;
      slot.link->kill("It took too long.");
    });
    watch_memory();
    return {};
  }

  /// While somebody works.
  void watch_memory() {
    if (options_.memory_limit == UINT64_MAX || std::exchange(is_looking_, true)) return;
    next_look_.expires_after(kLookEvery);
    next_look_.async_wait([weak = weak_from_this()](const auto& error) {
      const auto self = weak.lock();
      if (error || !self) return;
      self->is_looking_ = false;
      for (const auto& slot : self->slots_) {
        if (!slot->job || !slot->link) continue;
        if (memory_of(slot->link->pid()).resident > self->options_.memory_limit) {
          slot->link->kill("It took more than " +
                           std::to_string(self->options_.memory_limit >> 20) +
                           " MiB of memory, config.json's \"memoryLimit\".");
        }
        self->watch_memory();
      }
    });
  }

  /// Nothing waits: the memory of workers without work goes back after a while.
  void rest() {
    if (!options_.idle_exit || is_shut_down_) return;
    idle_.expires_after(*options_.idle_exit);
    idle_.async_wait([weak = weak_from_this(), n_requests = next_request_](const auto& error) {
      const auto self = weak.lock();
      if (error || !self || self->next_request_ != n_requests) return;
      for (const auto& slot : self->slots_) {
        if (!slot->job) retire(*slot);
      }
    });
  }

  void cancel(const JobPtr& job) {
    if (job->is_answered) return;
    std::erase(queue_of(*job), job);
    for (const auto& slot : slots_) {
      // The worker stays taken until it has acknowledged; its deadline goes on.
      if (slot->job == job && slot->link) (void)slot->link->send(job->id, wire::Cancel{});
    }
    job->answer_error({ErrorCode::kCancelled, "The request was cancelled."});
  }

  asio::any_io_executor executor_;
  WorkerPoolOptions options_;
  asio::steady_timer idle_;
  asio::steady_timer next_look_;  // at the workers' memory
  bool is_looking_ = false;
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

WorkerPool::WorkerPool(asio::any_io_executor executor, WorkerPoolOptions options)
    : core_(std::make_shared<Core>(std::move(executor), std::move(options))) {}

WorkerPool::~WorkerPool() = default;

void WorkerPool::add(WorkerRequest request, std::stop_token stop) {
  core_->add(std::move(request), std::move(stop));
}

WorkerPoolStatus WorkerPool::status() const {
  return core_->status();
}

void WorkerPool::shut_down() {
  core_->shut_down();
}

}  // namespace kinglet::daemon
