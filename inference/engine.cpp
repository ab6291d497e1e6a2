#include "inference/engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "inference/tokenizer/tokenizer.h"

namespace kinglet::inference {

namespace {

// More context than this is only taken when asked for: it costs memory from the start.
constexpr std::uint32_t kDefaultContext = 16384;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint32_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const std::size_t n = std::min(a.size(), b.size());
  const auto [end, other] =
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin());
  return static_cast<std::uint32_t>(end - a.begin());
}

struct Placement {
  std::unique_ptr<Executor> executor;
  std::string fallback_reason;
};

Result<std::unique_ptr<Executor>> place_on(std::string_view backend_name,
                                           const std::shared_ptr<const Model>& model,
                                           const ExecutorOptions& options) {
  const Backend* backend = find_backend(backend_name);
  if (backend == nullptr) {
    return fail(ErrorCode::kUnsupported,
                "this build has no backend '" + std::string(backend_name) + "'");
  }
  return backend->create(model, options);
}

Result<Placement> place_on_cpu(const std::shared_ptr<const Model>& model,
                               ExecutorOptions options,
                               std::optional<Activations> activations,
                               std::string fallback_reason) {
  options.activations = activations.value_or(options.activations);
  return Placement{TRY(place_on("cpu", model, options)), std::move(fallback_reason)};
}

/// The first real GPU that takes the model, else the CPU.
Result<Placement> place_anywhere(const std::shared_ptr<const Model>& model,
                                 const ExecutorOptions& options,
                                 std::optional<Activations> cpu_activations) {
  std::string reason;
  const auto add_reason = [&](std::string_view backend, const std::string& what) {
    reason += (reason.empty() ? "" : "; ") + std::string(backend) + ": " + what;
  };
  for (const Backend& backend : all_backends()) {
    if (backend.name == "cpu") continue;
    const Result<std::vector<DeviceInfo>> devices = backend.devices();
    if (!devices) {
      add_reason(backend.name, devices.error().message);
      continue;
    }
    bool has_gpu = false;
    for (std::size_t i = 0; i < devices->size(); ++i) {
      const DeviceKind kind = (*devices)[i].kind;
      if (kind == DeviceKind::kCpu || kind == DeviceKind::kSoftwareGpu) continue;
      has_gpu = true;
      ExecutorOptions chosen = options;
      if (chosen.device.empty()) chosen.device = std::to_string(i);
      Result<std::unique_ptr<Executor>> executor = backend.create(model, chosen);
      if (executor) return Placement{std::move(*executor), {}};
      add_reason((*devices)[i].name, executor.error().message);
    }
    if (!has_gpu) add_reason(backend.name, "no GPU, only software drivers");
  }
  ExecutorOptions on_cpu = options;
  on_cpu.device.clear();
  return place_on_cpu(model, std::move(on_cpu), cpu_activations, std::move(reason));
}

Result<Placement> place(BackendChoice choice,
                        const std::shared_ptr<const Model>& model,
                        const ExecutorOptions& options,
                        std::optional<Activations> cpu_activations) {
  switch (choice) {
    case BackendChoice::kAuto:
      break;
    case BackendChoice::kCpu:
      return place_on_cpu(model, options, cpu_activations, {});
    case BackendChoice::kVulkan:
      return Placement{TRY(place_on("vulkan", model, options)), {}};
  }
  return place_anywhere(model, options, cpu_activations);
}

EngineInfo describe(const Executor& executor, std::uint32_t n_context) {
  const Model& model = executor.model();
  return EngineInfo{
      .model_name = model.name(),
      .architecture = std::string(model.architecture().name),
      .n_parameters = model.n_parameters(),
      .weight_bytes = model.weight_bytes(),
      .n_layers = model.hyper_parameters().n_layers,
      .n_vocabulary = model.hyper_parameters().n_vocabulary,
      .n_context = n_context,
      .model_context = model.hyper_parameters().context_length,
      .executor = executor.info(),
      .load_seconds = 0,
      .fallback_reason = {},
  };
}

}  // namespace

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kStopToken:
      return "stop_token";
    case StopReason::kStopString:
      return "stop_string";
    case StopReason::kComplete:
      return "complete";
    case StopReason::kCallback:
      return "callback";
    case StopReason::kCancelled:
      return "cancelled";
    case StopReason::kContextFull:
      return "context_full";
  }
  return "unknown";
}

double GenerateStats::prefill_tokens_per_second() const {
  return prefill_seconds > 0 ? (n_prompt - n_reused) / prefill_seconds : 0;
}

double GenerateStats::decode_tokens_per_second() const {
  return decode_seconds > 0 && n_generated > 1 ? (n_generated - 1) / decode_seconds : 0;
}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::load(const EngineOptions& options) {
  const Clock::time_point start = Clock::now();
  const auto report = [&](LoadStage stage, float fraction) {
    if (options.progress) options.progress(stage, fraction);
  };
  report(LoadStage::kReadingModel, 0);
  const std::shared_ptr<const Model> model = TRY(Model::load(options.model_path));
  const std::uint32_t model_context = model->hyper_parameters().context_length;
  if (options.n_context > model_context) {
    return fail(ErrorCode::kInvalidArgument,
                "a context of " + std::to_string(options.n_context) + " tokens: " + model->name() +
                    " takes up to " + std::to_string(model_context));
  }
  const std::uint32_t n_context =
      options.n_context != 0 ? options.n_context : std::min(model_context, kDefaultContext);

  report(LoadStage::kPlacingWeights, 0);
  Placement placement = TRY(
      place(options.backend,
            model,
            ExecutorOptions{
                .device = options.device,
                .kv_format = options.kv_format,
                .activations = options.activations,
                .n_kv_tokens = options.n_kv_tokens != 0 ? std::max(options.n_kv_tokens, n_context)
                                                        : 2 * n_context,
                .chunk_tokens = options.chunk_tokens,
                .n_threads = options.n_threads,
                .product_path = options.product_path,
                .tuning = options.tuning,
                .cache_folder = options.cache_folder,
                .progress = [&](float fraction) { report(LoadStage::kPlacingWeights, fraction); },
            },
            options.cpu_activations));

  std::unique_ptr<Engine> engine(new Engine);
  engine->executor_ = std::move(placement.executor);
  engine->tokenizer_ = std::make_unique<const Tokenizer>(model->vocabulary());
  engine->info_ = describe(*engine->executor_, n_context);
  engine->info_.fallback_reason = std::move(placement.fallback_reason);
  engine->info_.load_seconds = seconds_since(start);
  engine->n_sequences_ = std::max<std::uint32_t>(options.n_sequences, 1);
  report(LoadStage::kReady, 1);
  return engine;
}

Result<std::vector<float>> Engine::logits(std::span<const TokenId> tokens,
                                          LogitsWanted wanted,
                                          const std::stop_token& stop) {
  forget();
  const std::size_t n_rows = wanted == LogitsWanted::kAll ? tokens.size() : 1;
  if (wanted == LogitsWanted::kNone || tokens.empty() || tokens.size() > info_.n_context) {
    return fail(ErrorCode::kInvalidArgument,
                "logits of " + std::to_string(tokens.size()) + " tokens: give 1 to " +
                    std::to_string(info_.n_context));
  }
  Sequence sequence =
      TRY(executor_->new_sequence({.max_tokens = static_cast<std::uint32_t>(tokens.size())}));
  std::vector<float> logits(n_rows * info_.n_vocabulary);
  TRY(executor_->forward(sequence, tokens, wanted, logits, stop));
  return logits;
}

void Engine::forget() {
  remembered_.clear();
}

Result<Engine::Remembered> Engine::begin(std::span<const TokenId> prompt, std::uint32_t n_total) {
  // Sequences that stay within the original context use the short rope factors, so the limit is a
  // property of the request, not of what is remembered. Models with one set of factors have none.
  const std::uint32_t original = model().hyper_parameters().rope_original_context;
  const bool same_factors =
      model().rope_factor_set(n_total) == model().rope_factor_set(info_.n_context);
  const std::uint32_t max_tokens = same_factors ? info_.n_context : original;

  // The last token of the prompt is computed in any case: its logits are wanted.
  const std::span<const TokenId> reusable = prompt.first(prompt.size() - 1);
  std::size_t best = remembered_.size();
  std::uint32_t n_best = 0;
  for (std::size_t i = 0; i < remembered_.size(); ++i) {
    const Sequence& sequence = remembered_[i].sequence;
    if (sequence.max_tokens() != max_tokens || !executor_->can_continue(sequence)) continue;
    const std::uint32_t n = common_prefix(remembered_[i].tokens, reusable);
    if (n > n_best) {
      best = i;
      n_best = n;
    }
  }
  if (n_best == 0) {
    return Remembered{{}, TRY(executor_->new_sequence({.max_tokens = max_tokens}))};
  }
  Remembered& origin = remembered_[best];
  if (origin.tokens.size() - n_best > kPageTokens) {
    // Much would be lost by cutting it (another file, a long completion): go on from a fork.
    return Remembered{{origin.tokens.begin(), origin.tokens.begin() + n_best},
                      executor_->fork(origin.sequence, n_best)};
  }
  Remembered current = std::move(origin);
  remembered_.erase(remembered_.begin() + static_cast<std::ptrdiff_t>(best));
  executor_->truncate(current.sequence, n_best);
  current.tokens.resize(n_best);
  return current;
}

Result<void> Engine::compute(Remembered& current,
                             std::span<const TokenId> tokens,
                             std::span<float> logits,
                             const std::stop_token& stop) {
  const auto wanted = logits.empty() ? LogitsWanted::kNone : LogitsWanted::kLast;
  while (true) {
    Result<void> computed = executor_->forward(current.sequence, tokens, wanted, logits, stop);
    const std::size_t n_done = current.sequence.n_tokens() - current.tokens.size();
    current.tokens.insert(
        current.tokens.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n_done));
    if (computed || !forget_one_for(computed.error())) return computed;
    tokens = tokens.subspan(n_done);
  }
}

Result<void> Engine::compute_each(std::span<Remembered* const> sequences,
                                  std::span<const TokenId> tokens,
                                  std::span<float> logits,
                                  const std::stop_token& stop) {
  std::vector<Sequence*> each;
  for (Remembered* one : sequences)
    each.push_back(&one->sequence);
  while (true) {
    Result<void> computed = executor_->forward_each(each, tokens, logits, stop);
    if (computed) {
      for (std::size_t i = 0; i < sequences.size(); ++i)
        sequences[i]->tokens.push_back(tokens[i]);
    }
    if (computed || !forget_one_for(computed.error())) return computed;
  }
}

Result<std::uint32_t> Engine::compute_greedy(Remembered& current,
                                             TokenId token,
                                             std::span<TokenId> next,
                                             const std::stop_token& stop) {
  while (true) {
    Result<std::uint32_t> n = executor_->decode_greedy(current.sequence, token, next, stop);
    if (n) {
      current.tokens.push_back(token);
      current.tokens.insert(current.tokens.end(), next.begin(), next.begin() + (*n - 1));
    }
    if (n || !forget_one_for(n.error())) return n;
  }
}

bool Engine::forget_one_for(const Error& error) {
  if (error.code != ErrorCode::kOutOfMemory || remembered_.empty()) return false;
  remembered_.pop_back();
  return true;
}

void Engine::truncate(Remembered& current, std::size_t n_tokens) {
  if (n_tokens >= current.tokens.size()) return;
  executor_->truncate(current.sequence, static_cast<std::uint32_t>(n_tokens));
  current.tokens.resize(n_tokens);
}

bool Engine::ends_generation(TokenId token, const GenerateRequest& request) const {
  const Vocabulary& vocabulary = tokenizer_->vocabulary();
  return (vocabulary.contains(token) && vocabulary.is_end_of_generation(token)) ||
         std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
             request.stop_tokens.end();
}

void Engine::remember(Remembered current) {
  if (current.tokens.empty()) return;
  remembered_.insert(remembered_.begin(), std::move(current));
  if (remembered_.size() > n_sequences_) remembered_.pop_back();
}

}  // namespace kinglet::inference
