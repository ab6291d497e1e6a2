// `kinglet generate`: one text, continued, on standard output as it comes; or several ways to go
// on.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/commands/model_flags.h"
#include "daemon/commands/text_file.h"
#include "daemon/commands/verbs.h"
#include "inference/grammar/gbnf.h"
#include "inference/grammar/json_schema.h"
#include "inference/tokenizer/tokenizer.h"

namespace kinglet::daemon {

namespace {

struct GenerateOptions {
  ModelFlags model;
  std::string prompt;
  std::uint32_t n = 128;
  std::uint32_t n_candidates = 1;
  inference::SamplerOptions sampler;
  std::vector<std::string> stops;
  bool heal = false;
  std::string json_schema;
  std::string grammar;
  bool stats = false;
};

/// The grammar that the output is to follow, if one is asked for.
Result<std::shared_ptr<inference::Constraint>> constraint_of(const GenerateOptions& options,
                                                             inference::Engine& engine) {
  const bool is_schema = !options.json_schema.empty();
  const std::string& path = is_schema ? options.json_schema : options.grammar;
  if (path.empty()) return nullptr;
  const std::string text = TRY(read_text_file(path));
  auto machine = is_schema ? inference::grammar::compile_json_schema(text)
                           : inference::grammar::compile_gbnf(text);
  if (!machine) return fail(machine.error().code, path + ": " + machine.error().message);
  return engine.constrain(std::move(*machine));
}

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

/// Candidates grow side by side, so they are printed when all are there.
Result<int> print_candidates(const GenerateOptions& options,
                             const inference::GenerateRequest& request,
                             inference::Engine& engine) {
  const auto results = TRY(engine.generate_candidates(request, options.n_candidates));
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::printf("== %zu of %zu (--seed %" PRIu64 ")\n%s\n",
                i + 1,
                results.size(),
                request.sampler.seed + i,
                results[i].text.c_str());
    if (options.stats) print_stats(engine.info(), results[i]);
  }
  return 0;
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
    // Candidates share the prompt's pages; each has its last one for itself.
    const std::uint64_t n_more =
        std::min(std::max(options.n_candidates, 1U) - 1, inference::Engine::kMaxCandidates - 1);
    const std::uint64_t n_kv =
        engine_options.n_context +
        n_more * (std::min<std::uint64_t>(options.n, most) + inference::kPageTokens);
    engine_options.n_kv_tokens = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(n_kv, std::numeric_limits<std::uint32_t>::max()));
  }
  const auto engine = TRY(inference::Engine::load(engine_options));
  auto adapters = TRY(options.model.load_adapters(engine->model()));
  TRY(engine->set_adapters(std::move(adapters)));
  request.max_tokens = options.n;
  request.sampler = options.sampler;
  request.stop_strings = options.stops;
  request.constraint = TRY(constraint_of(options, *engine));
  if (options.heal) engine->heal(request);
  if (options.n_candidates != 1) return print_candidates(options, request, *engine);
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
  app.add_option("--temperature", options->sampler.temperature, "0: always the likeliest token")
      ->capture_default_str();
  app.add_option(
         "--top-p", options->sampler.top_p, "Draw among the likeliest that reach this probability")
      ->capture_default_str();
  app.add_option("--seed", options->sampler.seed, "Of the draws: same seed, same text")
      ->capture_default_str();
  app.add_option("--top-k", options->sampler.top_k, "Draw among so many; 0: all")
      ->capture_default_str();
  app.add_option("--min-p",
                 options->sampler.min_p,
                 "Draw among those this times as likely as the likeliest")
      ->capture_default_str();
  app.add_option("--repetition-penalty",
                 options->sampler.repetition_penalty,
                 "Above 1: tokens among the last 64 get less likely")
      ->capture_default_str();
  app.add_option("--presence-penalty",
                 options->sampler.presence_penalty,
                 "Taken from the logits of tokens among the last 64")
      ->capture_default_str();
  app.add_option("--frequency-penalty",
                 options->sampler.frequency_penalty,
                 "The same, as often as they stand there")
      ->capture_default_str();
  app.add_option("--candidates",
                 options->n_candidates,
                 "Texts to draw from one prompt, at most 64; needs a --temperature above 0")
      ->capture_default_str();
  app.add_option("--stop", options->stops, "End before this text; may be given several times")
      ->allow_extra_args(false);
  app.add_flag("--heal", options->heal, "Let the model write the prompt's last piece anew");
  auto* schema = app.add_option(
      "--json-schema", options->json_schema, "A file: print a JSON value that this schema accepts");
  app.add_option("--grammar", options->grammar, "A file: print a text of this grammar (GBNF)")
      ->excludes(schema);
  app.add_flag("--stats", options->stats, "Afterwards, speeds on standard error");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
