#include "daemon/processes/engine_process.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "daemon/adapters.h"
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
  if (load.activations == "int8") {
    options.cpu_activations = inference::Activations::kInt8;
  } else if (load.activations != "f32") {
    return fail(ErrorCode::kInvalidArgument,
                "There are no activations \"" + load.activations + "\".");
  }
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

/// A model's file, or why there is none and the way out.
Result<std::shared_ptr<const inference::Model>> load_model(const std::string& path) {
  auto model = inference::Model::load(path);
  if (model || model.error().code != ErrorCode::kNotFound) return model;
  return fail(ErrorCode::kNotFound,
              model.error().message +
                  " (\"model\" in config.json; `kinglet models list` shows which there are).");
}

/// The adapters that were read for one model. They are kept a while: sequences computed with one
/// are gone on from only when the very same comes back.
class AdapterFiles {
 public:
  Result<inference::Adapters> read(const std::vector<wire::Adapter>& wanted,
                                   const inference::Model& model) {
    inference::Adapters adapters;
    for (const wire::Adapter& adapter : wanted) {
      adapters.push_back({TRY(read(adapter.path, model)), static_cast<float>(adapter.scale)});
    }
    return adapters;
  }
  /// REQUIRES: before another model's are read.
  void forget() { kept_.clear(); }

 private:
  static constexpr std::size_t kMost = 8;
  struct Kept {
    std::string path;
    std::filesystem::file_time_type modified;
    std::uintmax_t size;
    std::shared_ptr<const inference::Lora> lora;
  };

  Result<std::shared_ptr<const inference::Lora>> read(const std::string& path,
                                                      const inference::Model& model) {
    std::error_code none;
    const auto modified = std::filesystem::last_write_time(path, none);
    const auto size = std::filesystem::file_size(path, none);
    const auto found = std::ranges::find_if(kept_, [&](const Kept& kept) {
      return kept.path == path && kept.modified == modified && kept.size == size;
    });
    if (found != kept_.end()) {
      std::rotate(kept_.begin(), found, found + 1);
      return kept_.front().lora;
    }
    auto lora = TRY(load_adapter(path, model));
    std::erase_if(kept_, [&](const Kept& kept) { return kept.path == path; });
    kept_.insert(kept_.begin(), {path, modified, size, lora});
    if (kept_.size() > kMost) kept_.pop_back();
    return lora;
  }

  std::vector<Kept> kept_;  // the latest first
};

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
      case wire::MessageType::kSetAdapters:
        return set_adapters(frame.request, TRY(wire::decode<wire::SetAdapters>(frame)), answers);
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
    engine_.reset();  // two models may not fit
    adapters_.forget();
    {
      // Reading a model twice is cheap, and says what is wrong before its weights are placed.
      const auto model = TRY(load_model(load.model_path));
      for (const wire::Adapter& adapter : load.adapters)
        TRY(load_adapter(adapter.path, *model));
      // A wish; what the model was made for is the other limit.
      if (load.context_tokens > 0) {
        options.n_context = std::min(load.context_tokens, model->hyper_parameters().context_length);
      }
    }
    auto engine = TRY(Engine::load(options));
    auto adapters = TRY(adapters_.read(load.adapters, engine->model()));
    TRY(engine->set_adapters(std::move(adapters)));
    engine_ = std::move(engine);
    const auto& info = engine_->info();
    spdlog::info("loaded {} on {} in {:.2f} s",
                 info.model_name,
                 info.executor.device.name,
                 info.load_seconds);
    if (!info.fallback_reason.empty()) spdlog::info("no GPU: {}", info.fallback_reason);
    for (const std::string& remark : info.executor.remarks)
      spdlog::warn("{}: {}", info.executor.device.name, remark);
    const auto vocabulary = engine_->model().vocabulary()->serialize();
    return answers.send(
        request,
        wire::Loaded{.info = describe(*engine_),
                     .vocabulary = std::string(reinterpret_cast<const char*>(vocabulary.data()),
                                               vocabulary.size())});
  }

  Result<void> set_adapters(std::uint64_t request,
                            const wire::SetAdapters& wanted,
                            wire::Channel& answers) {
    if (!engine_) return fail(ErrorCode::kInternal, "The engine has no model yet.");
    auto adapters = TRY(adapters_.read(wanted.adapters, engine_->model()));
    TRY(engine_->set_adapters(std::move(adapters)));
    spdlog::info("{} adapters on {}", wanted.adapters.size(), engine_->info().model_name);
    return answers.send(request, wire::AdaptersSet{});
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
  AdapterFiles adapters_;  // of engine_'s model
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
