#include "daemon/processes/engine_process.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/features/chat_template.h"
#include "daemon/processes/worker_loop.h"
#include "daemon/wire/messages.h"
#include "inference/engine.h"
#include "inference/gguf.h"
#include "inference/model.h"

namespace kinglet::daemon {

namespace {

using inference::Engine;

Result<inference::EngineOptions> engine_options(const wire::Load& load) {
  inference::EngineOptions options;
  options.model_path = load.model_path;
  options.device = load.device;
  options.n_threads = load.threads;
  if (load.backend == "auto") {
    options.backend = inference::BackendChoice::kAuto;
  } else if (load.backend == "cpu") {
    options.backend = inference::BackendChoice::kCpu;
  } else if (load.backend == "vulkan") {
    options.backend = inference::BackendChoice::kVulkan;
  } else {
    return fail(ErrorCode::kInvalidArgument, "There is no backend \"" + load.backend + "\".");
  }
  const auto kv_format = inference::find_kv_format(load.kv_format);
  if (!kv_format) {
    return fail(ErrorCode::kInvalidArgument,
                "There is no cache format \"" + load.kv_format + "\".");
  }
  options.kv_format = *kv_format;
  return options;
}

/// The row of chat_template.cpp for a model; empty if there is none.
std::string chat_template_of(const inference::Model& model) {
  // A template that is no text is as good as none.
  const auto own = model.gguf().get<std::string_view>("tokenizer.chat_template");
  const std::string_view text = own ? own->value_or("") : "";
  const ChatTemplate* chat = choose_chat_template(text, *model.vocabulary());
  return chat == nullptr ? "" : std::string(chat->name);
}

wire::ModelInfo describe(const inference::Engine& engine) {
  const auto& info = engine.info();
  const auto& executor = info.executor;
  return {.name = info.model_name,
          .architecture = info.architecture,
          .backend = executor.backend,
          .device = executor.device.name,
          .driver = executor.device.driver,
          .on_software_gpu = executor.device.kind == inference::DeviceKind::kSoftwareGpu,
          .context_tokens = info.n_context,
          .model_bytes = info.weight_bytes,
          .device_bytes = executor.weight_bytes + executor.kv_bytes + executor.activation_bytes,
          .chat_template = chat_template_of(engine.model())};
}

wire::StopReason to_wire(inference::StopReason reason) {
  switch (reason) {
    case inference::StopReason::kStopToken:
      return wire::StopReason::kStopToken;
    case inference::StopReason::kStopString:
      return wire::StopReason::kStopString;
    case inference::StopReason::kContextFull:
      return wire::StopReason::kContextFull;
    default:
      return wire::StopReason::kMaxTokens;
  }
}

inference::SamplerOptions sampler_options(const wire::Sampling& sampling) {
  return {.temperature = static_cast<float>(sampling.temperature),
          .top_k = sampling.top_k,
          .top_p = static_cast<float>(sampling.top_p),
          .min_p = static_cast<float>(sampling.min_p),
          .repetition_penalty = static_cast<float>(sampling.repetition_penalty),
          .presence_penalty = static_cast<float>(sampling.presence_penalty),
          .frequency_penalty = static_cast<float>(sampling.frequency_penalty),
          .penalty_tokens = sampling.penalty_tokens,
          .seed = sampling.seed};
}

/// All of it belongs to the computing thread.
class EngineProcess {
 public:
  explicit EngineProcess(const Paths& paths) : cache_folder_(paths.cache) {}

  Result<void> handle(const wire::Frame& frame,
                      const std::stop_token& stop,
                      wire::Channel& answers) {
    switch (frame.type) {
      case wire::MessageType::kLoad:
        return load(frame.request, TRY(wire::decode<wire::Load>(frame)), answers);
      case wire::MessageType::kGenerate:
        return generate(frame.request, TRY(wire::decode<wire::Generate>(frame)), stop, answers);
      default:
        return fail(ErrorCode::kUnsupported, "The engine does not know this message.");
    }
  }

 private:
  Result<void> load(std::uint64_t request, const wire::Load& load, wire::Channel& answers) {
    auto options = TRY(engine_options(load));
    options.cache_folder = cache_folder_;
    options.progress = [&](inference::LoadStage stage, float fraction) {
      const bool is_placing = stage == inference::LoadStage::kPlacingWeights;
      (void)answers.send(request, wire::LoadProgress{.fraction = is_placing ? fraction : 0.0});
    };
    if (load.context_tokens > 0) {
      // A wish; what the model was made for is the other limit. Reading a model twice is cheap.
      const auto model = TRY(inference::Model::load(load.model_path));
      options.n_context = std::min(load.context_tokens, model->hyper_parameters().context_length);
    }
    engine_.reset();  // two models may not fit
    engine_ = TRY(Engine::load(options));
    const auto& info = engine_->info();
    spdlog::info("loaded {} on {} in {:.2f} s",
                 info.model_name,
                 info.executor.device.name,
                 info.load_seconds);
    if (!info.fallback_reason.empty()) spdlog::info("no GPU: {}", info.fallback_reason);
    const auto vocabulary = engine_->model().vocabulary()->serialize();
    return answers.send(
        request,
        wire::Loaded{.info = describe(*engine_),
                     .vocabulary = std::string(reinterpret_cast<const char*>(vocabulary.data()),
                                               vocabulary.size())});
  }

  Result<void> generate(std::uint64_t request,
                        const wire::Generate& wanted,
                        const std::stop_token& stop,
                        wire::Channel& answers) {
    if (!engine_) return fail(ErrorCode::kInternal, "The engine has no model yet.");
    inference::GenerateRequest generate;
    generate.prompt = wanted.tokens;
    generate.max_tokens = wanted.max_tokens;
    generate.stop_tokens = wanted.stop_tokens;
    generate.stop_strings = wanted.stop_strings;
    generate.sampler = sampler_options(wanted.sampling);
    std::uint32_t n_taken_back =
        wanted.healing == wire::Healing::kYes ? engine_->heal(generate) : 0;
    const auto result = TRY(engine_->generate(
        generate,
        [&](inference::TokenId id, std::string_view bytes) {
          const wire::Token token{id, std::string(bytes), std::exchange(n_taken_back, 0)};
          return answers.send(request, token).has_value();
        },
        stop));
    if (result.reason == inference::StopReason::kCancelled) {
      return fail(ErrorCode::kCancelled, "The completion was cancelled.");
    }
    return answers.send(request,
                        wire::Generated{.stop_reason = to_wire(result.reason),
                                        .n_prompt = result.stats.n_prompt,
                                        .n_reused = result.stats.n_reused,
                                        .n_generated = result.stats.n_generated,
                                        .prefill_seconds = result.stats.prefill_seconds,
                                        .decode_seconds = result.stats.decode_seconds,
                                        .first_token_seconds = result.stats.time_to_first_token});
  }

  std::filesystem::path cache_folder_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

int run_engine_process(UniqueFd socket, const Paths& paths) {
  EngineProcess process(paths);
  return run_worker(std::move(socket),
                    [&](const wire::Frame& frame, const std::stop_token& stop, wire::Channel& to) {
                      return process.handle(frame, stop, to);
                    });
}

}  // namespace kinglet::daemon
