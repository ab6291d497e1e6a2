// `kinglet generate`: one text, continued, on standard output as it comes.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/commands/model_flags.h"
#include "daemon/commands/verbs.h"
#include "inference/tokenizer/tokenizer.h"

namespace kinglet::daemon {

namespace {

struct GenerateOptions {
  ModelFlags model;
  std::string prompt;
  std::uint32_t n = 128;
  float temperature = 0;
  float top_p = 1;
  std::uint64_t seed = 0;
  bool stats = false;
};

/// The prompt as the model wants a text to begin. It is text: no part of it becomes a control
/// token.
std::vector<inference::TokenId> tokens_of(const inference::Tokenizer& tokenizer,
                                          std::string_view prompt) {
  const inference::Vocabulary& vocabulary = tokenizer.vocabulary();
  std::vector<inference::TokenId> tokens = tokenizer.encode(prompt);
  if (vocabulary.add_bos() && vocabulary.special().bos != inference::kNoToken) {
    tokens.insert(tokens.begin(), vocabulary.special().bos);
  }
  return tokens;
}

void print_stats(const inference::EngineInfo& info, const inference::GenerateResult& result) {
  const inference::GenerateStats& stats = result.stats;
  std::fprintf(stderr,
               "%s on %s (%s): prompt of %u tokens at %.1f tokens/s, first token after %.3f s, %u "
               "tokens at %.1f tokens/s, ended by %s\n",
               info.model_name.c_str(),
               info.executor.device.name.c_str(),
               info.executor.backend.c_str(),
               stats.n_prompt,
               stats.prefill_tokens_per_second(),
               stats.time_to_first_token,
               stats.n_generated,
               stats.decode_tokens_per_second(),
               std::string(inference::name_of(result.reason)).c_str());
}

Result<int> run(const GenerateOptions& options) {
  inference::EngineOptions engine_options = TRY(options.model.engine_options());
  inference::GenerateRequest request;
  {
    // How much context is wanted depends on the model's tokens. Reading a model twice is cheap.
    const auto model = TRY(inference::Model::load(options.model.model()));
    request.prompt = tokens_of(inference::Tokenizer(model->vocabulary()), options.prompt);
    const std::uint64_t wanted = request.prompt.size() + std::uint64_t{options.n} + 1;
    const std::uint64_t most = model->hyper_parameters().context_length;
    engine_options.n_context = static_cast<std::uint32_t>(std::min(wanted, most));
    engine_options.n_kv_tokens = engine_options.n_context;
  }
  const auto engine = TRY(inference::Engine::load(engine_options));
  auto adapters = TRY(options.model.load_adapters(engine->model()));
  TRY(engine->set_adapters(std::move(adapters)));
  request.max_tokens = options.n;
  request.sampler = {
      .temperature = options.temperature, .top_p = options.top_p, .seed = options.seed};
  const auto print = [](inference::TokenId, std::string_view bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
           std::fflush(stdout) == 0;
  };
  const auto result = TRY(engine->generate(request, print));
  if (result.reason == inference::StopReason::kCallback) {
    return fail(ErrorCode::kIo, "cannot write to standard output");
  }
  if (options.stats) print_stats(engine->info(), result);
  return 0;
}

}  // namespace

Action generate_command(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  options->model.add_to(app, "auto", "f16");
  app.add_option("-p,--prompt", options->prompt, "The text to continue")->required();
  app.add_option("-n", options->n, "The most tokens to generate")->capture_default_str();
  app.add_option("--temperature", options->temperature, "0: always the likeliest token")
      ->capture_default_str();
  app.add_option("--top-p", options->top_p, "Draw among the likeliest that reach this probability")
      ->capture_default_str();
  app.add_option("--seed", options->seed, "Of the draws: same seed, same text")
      ->capture_default_str();
  app.add_flag("--stats", options->stats, "Afterwards, speeds on standard error");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
