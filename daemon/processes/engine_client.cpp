#include "daemon/processes/engine_client.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <spdlog/spdlog.h>

#include "daemon/processes/worker_link.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using wire::MessageType;

namespace {

constexpr int kMaxAttempts = 2;
constexpr std::chrono::milliseconds kMaxLoadRetry{60'000};

/// Whether one engine serves both, once it has the right adapters.
bool same_but_adapters(const Result<wire::Load>& a, const Result<wire::Load>& b) {
  if (a.has_value() != b.has_value()) return false;
  if (!a) return a.error().message == b.error().message;
  return a->model_path == b->model_path && a->backend == b->backend && a->device == b->device &&
         a->kv_format == b->kv_format && a->activations == b->activations &&
         a->threads == b->threads && a->context_tokens == b->context_tokens;
}

}  // namespace

std::string_view name_of(EngineState state) {
  switch (state) {
    case EngineState::kStopped:
      return "stopped";
    case EngineState::kLoading:
      return "loading";
    case EngineState::kReady:
      return "ready";
    case EngineState::kFailed:
      return "failed";
  }
  return "";
}

class EngineClient::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::any_io_executor executor, EngineOptions options)
      : executor_(std::move(executor)), options_(std::move(options)), hang_timer_(executor_) {}

  void configure(Result<wire::Load> load) {
    if (same_but_adapters(load_, load)) {
      if (!load || load_->adapters == load->adapters) return;
      load_->adapters = std::move(load->adapters);
      n_failed_loads_ = 0;
      problem_.reset();
      // A running engine changes them once it is loaded and has nothing to compute.
      post([](Core& core) { core.pump(); });
      return;
    }
    const bool is_other_model = load_ && load && load_->model_path != load->model_path;
    load_ = std::move(load);
    n_failed_loads_ = 0;
    n_load_deaths_ = 0;
    problem_.reset();
    model_.reset();
    stop_engine();
    if (current_) requeue_current();
    if (is_other_model) turn_requests_away();
    post([](Core& core) { core.pump(); });
  }

  void when_loaded(OnLoaded on_loaded) {
    waiting_for_model_.push_back(std::move(on_loaded));
    post([](Core& core) { core.start_for_waiters(); });
  }

  std::shared_ptr<const LoadedModel> model() const { return model_; }

  void generate(EngineRequest request,
                std::stop_token stop,
                OnToken on_token,
                OnGenerated on_done) {
    auto job = std::make_shared<Job>();
    job->id = next_request_++;
    job->request = std::move(request.generate);
    job->vocabulary_hash = request.vocabulary_hash;
    job->turn = request.turn;
    job->n_prompt = static_cast<std::uint32_t>(job->request.tokens.size());
    job->on_token = std::move(on_token);
    job->on_done = std::move(on_done);
    queue_.push_back(job);
    job->on_stop.emplace(
        std::move(stop),
        [core = weak_from_this(), executor = executor_, weak = std::weak_ptr(job)] {
          asio::post(executor, [core, weak] {
            const auto self = core.lock();
            const auto stopped = weak.lock();
            if (self && stopped) self->cancel(stopped);
          });
        });
    post([](Core& core) { core.pump(); });
  }

  EngineStatus status() const {
    EngineStatus status;
    status.state = state();
    status.pid = link_ ? link_->pid() : -1;
    status.load_fraction = load_fraction_;
    if (status.state == EngineState::kFailed) status.problem = problem_->message;
    status.n_waiting = static_cast<std::uint32_t>(queue_.size()) + (current_ ? 1 : 0);
    status.n_restarts = n_deaths_;
    status.adapters = is_loaded_ ? adapters_ : std::vector<wire::Adapter>();
    return status;
  }

 private:
  /// One completion. Lives until it is answered and, if the engine was given it, acknowledged.
  struct Job {
    std::uint64_t id = 0;
    wire::Generate request;
    std::uint64_t vocabulary_hash = 0;  // of the model that request's tokens are of
    EngineTurn turn = EngineTurn::kNext;
    OnToken on_token;
    OnGenerated on_done;              // empty once called
    std::uint32_t n_prompt = 0;       // tokens that request began with
    std::vector<std::int32_t> given;  // tokens passed on since the engine was last given the job
    std::uint32_t n_taken_back = 0;   // of the request's tokens, before the first of these
    std::uint32_t n_generated = 0;    // tokens passed on before
    int n_attempts = 0;
    std::optional<std::stop_callback<std::function<void()>>> on_stop;

    void answer(Result<wire::Generated> result) {
      on_stop.reset();
      on_token = {};
      if (const auto done = std::exchange(on_done, {})) done(std::move(result));
    }
    bool is_answered() const { return !on_done; }
  };
  using JobPtr = std::shared_ptr<Job>;

  EngineState state() const {
    if (link_ && is_loaded_ && problem_) return EngineState::kFailed;  // its adapters are not right
    if (link_) return is_loaded_ ? EngineState::kReady : EngineState::kLoading;
    return problem_ ? EngineState::kFailed : EngineState::kStopped;
  }

  template <class F>
  void post(F call) {
    asio::post(executor_, [weak = weak_from_this(), call] {
      if (const auto self = weak.lock()) call(*self);
    });
  }

  // ---- the process

  /// Starts an engine unless one is there. False when that is not possible now; problem_ says why.
  bool start_engine() {
    if (link_) return true;
    if (!load_) {
      problem_ = load_.error();
      return false;
    }
    if (problem_ && Clock::now() < retry_at_) return false;
    problem_.reset();
    // Each engine has a generation: what a replaced one still says is not for us.
    const auto generation = ++generation_;
    const auto weak = weak_from_this();
    auto link = WorkerLink::start(executor_,
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
                                       }});
    if (!link) {
      fail_load(link.error());
      return false;
    }
    link_ = std::move(*link);
    is_loaded_ = false;
    adapters_ = load_->adapters;
    load_fraction_ = 0;
    load_request_ = next_request_++;
    spdlog::info("engine {} loads {}", link_->pid(), load_->model_path);
    if (auto sent = link_->send(load_request_, *load_); !sent) {
      stop_engine();
      fail_load(sent.error());
      return false;
    }
    return true;
  }

  void stop_engine() {
    ++generation_;
    hang_timer_.cancel();
    link_.reset();
    is_loaded_ = false;
    switch_request_ = 0;
  }

  /// Whether the engine that is loaded has the adapters that are wanted. If not, it is told, unless
  /// that failed a moment ago: then problem_ says why.
  bool has_right_adapters() {
    if (adapters_ == load_->adapters) return true;
    if (switch_request_ != 0 || (problem_ && Clock::now() < retry_at_)) return false;
    problem_.reset();
    switched_to_ = load_->adapters;
    switch_request_ = next_request_++;
    if (auto sent = link_->send(switch_request_, wire::SetAdapters{switched_to_}); !sent) {
      switch_request_ = 0;
      fail_load(sent.error());
    }
    return false;
  }

  void on_death(const std::string& why) {
    spdlog::warn("engine {} {}", link_->pid(), why);
    const bool was_loading = !is_loaded_;
    stop_engine();
    ++n_deaths_;
    if (was_loading && ++n_load_deaths_ >= kMaxAttempts) {
      n_load_deaths_ = 0;
      return fail_load({ErrorCode::kUnavailable,
                        "The engine process " + why + " while it loaded " + load_->model_path +
                            ". `kinglet logs engine` may say more."});
    }
    if (current_) {
      const JobPtr job = current_;
      requeue_current();
      if (job->n_attempts >= kMaxAttempts && !job->is_answered()) {
        std::erase(queue_, job);
        job->answer(fail(ErrorCode::kUnavailable,
                         "The engine process " + why +
                             ", twice, while it computed this. "
                             "`kinglet logs engine` may say more."));
      }
    }
    if (!queue_.empty()) return pump();
    start_for_waiters();
  }

  /// The model cannot be loaded now: everybody who waits for it hears so.
  void fail_load(const Error& error) {
    spdlog::error("the model is not there: {}", error.message);
    problem_ = error;
    const auto pause = options_.load_retry * (1 << std::min(n_failed_loads_++, 10));
    retry_at_ = Clock::now() + std::min<std::chrono::milliseconds>(pause, kMaxLoadRetry);
    answer_all(error);
  }

  void answer_all(const Error& error) {
    const auto jobs = std::exchange(queue_, {});
    const auto waiters = std::exchange(waiting_for_model_, {});
    for (const auto& job : jobs)
      job->answer(tl::unexpected(error));
    for (const auto& waiter : waiters)
      waiter(tl::unexpected(error));
  }

  // ---- what the engine says

  void on_frame(const wire::Frame& frame) {
    const Result<void> handled = handle(frame);
    // A worker that breaks the rules may be anyone's by now.
    if (!handled && link_) link_->kill(handled.error().message);
  }

  Result<void> handle(const wire::Frame& frame) {
    const bool of_load = !is_loaded_ && frame.request == load_request_;
    const bool of_job = current_ && frame.request == current_->id;
    const bool of_switch = switch_request_ != 0 && frame.request == switch_request_;
    switch (frame.type) {
      case MessageType::kLoadProgress:
        load_fraction_ =
            std::clamp(TRY(wire::decode<wire::LoadProgress>(frame)).fraction, 0.0, 1.0);
        return {};
      case MessageType::kLoaded:
        if (of_load) return on_loaded(TRY(wire::decode<wire::Loaded>(frame)));
        break;
      case MessageType::kAdaptersSet:
        if (of_switch) {
          TRY(wire::decode<wire::AdaptersSet>(frame));
          switch_request_ = 0;
          adapters_ = std::move(switched_to_);
          n_failed_loads_ = 0;
          pump();
          return {};
        }
        break;
      case MessageType::kToken:
        if (of_job) return on_token(TRY(wire::decode<wire::Token>(frame)));
        break;
      case MessageType::kGenerated:
        if (of_job) {
          finish_current(TRY(wire::decode<wire::Generated>(frame)));
          return {};
        }
        break;
      case MessageType::kFailed:
        if (of_load || of_job || of_switch) {
          auto failed = TRY(wire::decode<wire::Failed>(frame));
          if (of_switch) {
            on_switch_failed({failed.code, std::move(failed.message)});
            return {};
          }
          on_failed({failed.code, std::move(failed.message)}, of_load);
          return {};
        }
        break;
      default:
        break;
    }
    return fail(ErrorCode::kCorrupt,
                "It sent a message of type " + std::to_string(static_cast<int>(frame.type)) +
                    " that nobody waits for.");
  }

  Result<void> on_loaded(wire::Loaded loaded) {
    auto vocabulary =
        TRY(inference::Vocabulary::deserialize(std::as_bytes(std::span(loaded.vocabulary))));
    auto model = std::make_shared<LoadedModel>();
    model->info = std::move(loaded.info);
    model->vocabulary = std::make_shared<const inference::Vocabulary>(std::move(vocabulary));
    model_ = std::move(model);
    is_loaded_ = true;
    n_failed_loads_ = 0;
    n_load_deaths_ = 0;
    spdlog::info(
        "engine {} is ready: {} on {}", link_->pid(), model_->info.name, model_->info.device);
    start_for_waiters();
    pump();
    return {};
  }

  Result<void> on_token(wire::Token token) {
    if (token.n_taken_back > 0) {
      const bool is_asked_for =
          current_->request.healing == wire::Healing::kYes && current_->given.empty();
      if (!is_asked_for || token.n_taken_back >= current_->request.tokens.size()) {
        return fail(ErrorCode::kCorrupt, "It took back tokens that it was not given.");
      }
      current_->n_taken_back = token.n_taken_back;
    }
    if (current_->given.size() >= current_->request.max_tokens + current_->n_taken_back) {
      return fail(ErrorCode::kCorrupt, "It sent more tokens than were asked for.");
    }
    if (!model_->vocabulary->contains(token.id)) {
      return fail(ErrorCode::kCorrupt, "It sent a token that its vocabulary does not have.");
    }
    current_->given.push_back(token.id);
    // A copy: the callback may answer the job by cancelling it.
    if (const auto on_token = current_->on_token) on_token(token.id, token.bytes);
    return {};
  }

  void on_failed(const Error& error, bool of_load) {
    if (of_load) {
      stop_engine();
      return fail_load(error);
    }
    if (error.code == ErrorCode::kDeviceLost && !current_->is_answered()) {
      // Some drivers never give the process another device. Its death tries the request anew.
      link_->kill(error.message);
      return;
    }
    finish_current(tl::unexpected(error));
  }

  /// The model stays, with the adapters it had; it computes nothing until it has the right ones.
  void on_switch_failed(const Error& error) {
    switch_request_ = 0;
    if (error.code == ErrorCode::kDeviceLost) {
      link_->kill(error.message);
      return;
    }
    // Others may be wanted by now.
    if (load_ && switched_to_ != load_->adapters) return pump();
    fail_load(error);
  }

  // ---- requests

  /// Gives the engine the next request once it has none, and is as it is to be.
  void pump() {
    if (current_) {
      const bool gives_way = current_->turn == EngineTurn::kWhenIdle && next() != queue_.end() &&
                             (*next())->turn == EngineTurn::kNext;
      if (gives_way) cancel(JobPtr(current_));
      return;
    }
    if (is_loaded_ && load_ && !has_right_adapters()) {
      if (problem_) answer_all(*problem_);
      return;
    }
    if (queue_.empty()) return;
    if (!start_engine()) return answer_all(*problem_);
    while (is_loaded_ && !current_ && !queue_.empty()) {
      const auto first = next();
      const JobPtr job = *first;
      queue_.erase(first);
      if (job->vocabulary_hash == model_->vocabulary->hash()) {
        give(job);
      } else {
        // Written while another model was there, or the file was replaced under its name.
        job->answer(changed());
      }
    }
  }

  /// The first that is wanted now, else the first.
  std::deque<JobPtr>::iterator next() {
    const auto urgent = std::ranges::find_if(
        queue_, [](const JobPtr& job) { return job->turn == EngineTurn::kNext; });
    return urgent != queue_.end() ? urgent : queue_.begin();
  }

  void give(const JobPtr& job) {
    current_ = job;
    ++job->n_attempts;
    if (auto sent = link_->send(job->id, job->request); !sent) {
      finish_current(tl::unexpected(sent.error()));
    }
  }

  static tl::unexpected<Error> changed() {
    return fail(ErrorCode::kInvalidArgument,
                "The model was changed while this waited for it. Ask again.");
  }

  void start_for_waiters() {
    if (waiting_for_model_.empty()) return;
    if (is_loaded_) {
      if (problem_) pump();  // adapters that failed are tried anew
      if (problem_) return answer_all(*problem_);
      for (const auto& waiter : std::exchange(waiting_for_model_, {}))
        waiter(model_);
    } else if (!start_engine()) {
      answer_all(*problem_);
    }
  }

  void finish_current(Result<wire::Generated> result) {
    hang_timer_.cancel();
    const JobPtr job = std::exchange(current_, nullptr);
    job->answer(std::move(result));
    pump();
  }

  /// The engine is gone: its request goes to the head of the queue, to go on where it was.
  void requeue_current() {
    const JobPtr job = std::exchange(current_, nullptr);
    if (job->is_answered()) return;
    auto& request = job->request;
    const auto n_given = static_cast<std::uint32_t>(job->given.size());
    if (n_given > 0) {
      // The first token completes what was taken back: no other engine needs to heal again.
      const std::uint32_t n_taken_back = std::exchange(job->n_taken_back, 0);
      request.tokens.resize(request.tokens.size() - n_taken_back);
      request.tokens.insert(request.tokens.end(), job->given.begin(), job->given.end());
      request.max_tokens += n_taken_back;
      request.max_tokens -= n_given;
      request.healing = wire::Healing::kNo;
      job->n_generated += n_given;
      job->given.clear();
    }
    if (n_given > 0 && request.max_tokens == 0) {
      // It died with its last word: all that was asked for is there.
      wire::Generated done;
      done.n_prompt = job->n_prompt;
      done.n_generated = job->n_generated;
      return job->answer(done);
    }
    job->id = next_request_++;
    queue_.push_front(job);
  }

  /// They were written for another model, and it may have begun to answer.
  void turn_requests_away() {
    post([jobs = std::exchange(queue_, {})](Core&) {
      for (const auto& job : jobs)
        job->answer(changed());
    });
  }

  void cancel(const JobPtr& job) {
    if (job->is_answered()) return;
    const auto cancelled = fail(ErrorCode::kCancelled, "The completion was cancelled.");
    if (job != current_) {
      std::erase(queue_, job);
      return job->answer(cancelled);
    }
    if (link_) (void)link_->send(job->id, wire::Cancel{});
    hang_timer_.expires_after(options_.cancel_grace);
    hang_timer_.async_wait([weak = weak_from_this(), id = job->id](const auto& error) {
      const auto self = weak.lock();
      if (error || !self || !self->current_ || self->current_->id != id || !self->link_) return;
      self->link_->kill("It did not stop computing when it was told to.");
    });
    job->answer(cancelled);
  }

  asio::any_io_executor executor_;
  EngineOptions options_;
  Result<wire::Load> load_ = fail(ErrorCode::kInternal, "No model was configured.");
  std::unique_ptr<WorkerLink> link_;
  std::uint64_t generation_ = 0;
  bool is_loaded_ = false;
  double load_fraction_ = 0;
  std::uint64_t load_request_ = 0;
  std::vector<wire::Adapter> adapters_;     // that the engine was loaded with or told last
  std::vector<wire::Adapter> switched_to_;  // by the request below
  std::uint64_t switch_request_ = 0;        // 0: none is on its way
  std::uint64_t next_request_ = 1;
  std::shared_ptr<const LoadedModel> model_;
  std::vector<OnLoaded> waiting_for_model_;
  std::deque<JobPtr> queue_;
  JobPtr current_;  // what the engine computes
  asio::steady_timer hang_timer_;
  std::optional<Error> problem_;
  Clock::time_point retry_at_;
  int n_failed_loads_ = 0;
  int n_load_deaths_ = 0;
  std::uint32_t n_deaths_ = 0;
};

EngineClient::EngineClient(asio::any_io_executor executor, EngineOptions options)
    : core_(std::make_shared<Core>(std::move(executor), std::move(options))) {}

EngineClient::~EngineClient() = default;

void EngineClient::configure(Result<wire::Load> load) {
  core_->configure(std::move(load));
}

void EngineClient::when_loaded(OnLoaded on_loaded) {
  core_->when_loaded(std::move(on_loaded));
}

std::shared_ptr<const LoadedModel> EngineClient::model() const {
  return core_->model();
}

void EngineClient::generate(EngineRequest request,
                            std::stop_token stop,
                            OnToken on_token,
                            OnGenerated on_done) {
  core_->generate(std::move(request), std::move(stop), std::move(on_token), std::move(on_done));
}

EngineStatus EngineClient::status() const {
  return core_->status();
}

void EngineClient::shut_down() {
  core_->configure(fail(ErrorCode::kUnavailable, "The daemon is finishing."));
}

}  // namespace kinglet::daemon
