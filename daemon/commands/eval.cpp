// `kinglet eval`: how good completions are in somebody's own repository. Hides pieces of its files,
// asks for them as an editor would, and compares.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "daemon/commands/eval_table.h"
#include "daemon/commands/index_session.h"
#include "daemon/commands/screen.h"
#include "daemon/commands/settings_flags.h"
#include "daemon/commands/verbs.h"
#include "daemon/eval/completer.h"
#include "daemon/eval/holes.h"
#include "daemon/eval/measures.h"
#include "daemon/eval/result_file.h"
#include "indexer/context/hole.h"
#include "indexer/error_share.h"

namespace kinglet::daemon {

namespace {

namespace fs = std::filesystem;
using lsp::Json;

struct EvalOptions {
  std::string repository;
  std::uint32_t n_holes = 60;
  std::uint64_t seed = 1;
  std::vector<std::uint32_t> budgets;
  std::string compare_model;
  bool no_context = false;
  bool bm25 = false;
  std::vector<std::string> kinds = {"line", "block", "call", "first-use"};
  std::string output;
  std::string json;
  SettingsFlags settings;
};

/// What completions in this repository are made with: for each model its settings.
Result<std::vector<Config>> read_configs(const EvalOptions& options,
                                         const Paths& paths,
                                         const fs::path& root) {
  Config config = TRY(load_config(paths, options.settings)).config;
  std::vector<std::string> problems =
      apply_config_file(root / ".kinglet.json", ConfigSource::kRepository, config);
  for (const std::string& problem : problems)
    std::fprintf(stderr, "kinglet: %s\n", problem.c_str());
  if (!config.enabled || !config.completions) {
    return fail(ErrorCode::kUnavailable,
                "completions are turned off here: \"enabled\" or \"completions\" is false in "
                "config.json or in the repository's own .kinglet.json");
  }
  std::vector<Config> configs = {config};
  if (!options.compare_model.empty()) {
    problems = apply_settings({{"model", fs::absolute(options.compare_model).string()}},
                              ConfigSource::kUser,
                              "--compare-model",
                              config);
    if (!problems.empty()) return fail(ErrorCode::kInvalidArgument, problems.front());
    configs.push_back(std::move(config));
  }
  return configs;
}

Result<std::vector<Variant>> make_variants(const EvalOptions& options, const Completer& completer) {
  std::vector<Variant> variants;
  for (std::size_t model = 0; model < completer.models().size(); ++model) {
    const Completer::ModelInfo& info = completer.models()[model];
    std::vector<std::uint32_t> budgets = options.budgets;
    if (budgets.empty()) budgets.push_back(info.n_usual_budget);
    for (const std::uint32_t budget : budgets) {
      TRY(completer.check_budget(model, budget));
      const std::string name = (completer.models().size() > 1 ? info.name + ", " : "") +
                               std::to_string(budget) + " tokens";
      variants.push_back({name, model, budget, Chunks::kPacked});
      if (options.bm25) variants.push_back({name + ", BM25", model, budget, Chunks::kBm25});
      if (options.no_context)
        variants.push_back({name + ", no context", model, budget, Chunks::kNone});
    }
  }
  return variants;
}

/// Of the index: the same for the same files, whatever the index's history, and the same commit.
std::string state_of(const Completer& completer) {
  std::string all = completer.history().commit() + '\n';
  for (const indexer::FileInfo& file : completer.snapshot().files())
    all += file.path + '\0' + indexer::to_hex(file.hash) + '\n';
  return indexer::to_hex(indexer::hash_content(all));
}

/// Nothing: its grammar says nothing of it.
std::optional<std::int64_t> error_bytes(const indexer::Language& language, std::string_view text) {
  const auto share = indexer::error_share(language, text);
  if (!share) return std::nullopt;
  return std::llround(*share * static_cast<double>(text.size()));
}

std::optional<bool> parses_as_before(const ChosenHole& hole, const std::string& completion) {
  std::string text = indexer::hide(*hole.text, hole.hole.range).text;
  text.insert(hole.hole.range.begin, completion);
  const auto before = error_bytes(*hole.language, *hole.text);
  const auto after = error_bytes(*hole.language, text);
  if (!before || !after) return std::nullopt;
  return *after <= *before;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// All that makes a result what it is, and the key to it.
Json describe(const ChosenHole& hole,
              const Variant& variant,
              const Completer::ModelInfo& model,
              const std::string& state,
              std::uint64_t seed) {
  const std::string_view before = std::string_view(*hole.text).substr(0, hole.hole.range.begin);
  Json row = {{"path", hole.hole.path},
              {"line", 1 + std::ranges::count(before, '\n')},
              {"begin", hole.hole.range.begin},
              {"end", hole.hole.range.end},
              {"kind", indexer::name_of(hole.hole.kind)},
              {"budget", variant.n_budget},
              {"context", name_of(variant.chunks)},
              {"model", model.name},
              {"modelHash", model.fingerprint},
              {"filesHash", state},
              {"seed", seed}};
  row["key"] = indexer::to_hex(indexer::hash_content(lsp::to_text(row)));
  return row;
}

Json measure(Json row, const ChosenHole& hole, const Completion& completion) {
  const bool is_block = hole.hole.kind == indexer::HoleKind::kBlock;
  const TextMeasures texts = compare_texts(
      completion.text, hole.gold(), is_block ? Compared::kWhole : Compared::kFirstLine);
  row.update({{"text", completion.text},
              {"exact", texts.is_exact},
              {"edit_similarity", texts.edit_similarity},
              {"chrf", texts.chrf},
              {"identifier_f1", texts.identifier_f1},
              {"kept", texts.n_kept},
              {"parses", or_null(parses_as_before(hole, completion.text))},
              {"prompt_tokens", completion.n_prompt},
              {"new_tokens", completion.n_generated},
              {"pack_seconds", completion.pack_seconds},
              {"first_token_seconds", or_null(completion.first_token_seconds)},
              {"seconds", completion.seconds}});
  return row;
}

Result<fs::path> output_of(const EvalOptions& options,
                           const Paths& paths,
                           const fs::path& root,
                           const std::string& model) {
  if (!options.output.empty()) return options.output;
  const fs::path folder = paths.cache / "eval";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return fail(
        ErrorCode::kIo,
        "cannot make " + folder.string() + ": " + error.message() + "; give a file with --output");
  }
  // Folders of one name lie in different places.
  const std::string place = indexer::to_hex(indexer::hash_content(root.string())).substr(0, 8);
  return folder / (root.filename().string() + "-" + place + "-" + model + "-" +
                   std::to_string(options.seed) + ".jsonl");
}

class Bar {
 public:
  explicit Bar(const std::string& title) : screen_(stderr), bar_(screen_) {
    bar_.update({{"kind", "begin"}, {"title", title}});
  }
  ~Bar() { bar_.update({{"kind", "end"}}); }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;
  void report(std::size_t percentage, const std::string& message) {
    bar_.update({{"kind", "report"}, {"percentage", percentage}, {"message", message}});
  }

 private:
  Screen screen_;
  ProgressBar bar_;
};

Result<EvalResults> complete_all(Completer& completer,
                                 const std::vector<ChosenHole>& holes,
                                 const std::vector<Variant>& variants,
                                 ResultFile& file,
                                 std::uint64_t seed) {
  EvalResults results{.variants = {}, .rows = {}, .seed = seed};
  for (const Variant& variant : variants)
    results.variants.push_back(variant.name);
  results.rows.assign(variants.size(), std::vector<Json>(holes.size()));
  const std::string state = state_of(completer);
  const std::size_t n_all = holes.size() * variants.size();
  Bar bar("Kinglet: completing");
  for (std::size_t n = 0; n < n_all; ++n) {
    const std::size_t i = n / variants.size();
    // Another variant begins each time: what it leaves computed helps those that follow.
    const std::size_t k = (n + i) % variants.size();
    bar.report(100 * n / n_all, std::to_string(n) + " of " + std::to_string(n_all));
    const Variant& variant = variants[k];
    Json row = describe(holes[i], variant, completer.models()[variant.model], state, seed);
    if (const Json* const known = file.find(row["key"].get<std::string>())) {
      results.rows[k][i] = *known;
      continue;
    }
    const Completion completion = TRY(completer.complete(holes[i], variant));
    results.rows[k][i] = measure(std::move(row), holes[i], completion);
    TRY(file.add(results.rows[k][i]));
  }
  return results;
}

Result<void> write_json(const std::string& path, const EvalResults& results, const Json& summary) {
  std::ofstream out(path);
  out << lsp::to_text({{"variants", results.variants},
                       {"seed", results.seed},
                       {"summary", summary},
                       {"rows", results.rows}})
      << '\n';
  out.close();
  if (!out) return fail(ErrorCode::kIo, "cannot write " + path + "; give another file with --json");
  return {};
}

Result<int> run(const EvalOptions& options) {
  // What is logged goes to people: no lines between those of the table.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("eval"));
  spdlog::set_pattern("kinglet: %v");
  spdlog::set_level(spdlog::level::err);
  // A worker that is gone is found out by reading.
  std::signal(SIGPIPE, SIG_IGN);
  const auto kinds = TRY(read_kinds(options.kinds));
  const fs::path root = TRY(find_repository_root(options.repository, fs::current_path()));
  const Paths paths = TRY(find_paths());
  TRY(make_folders(paths));
  const auto configs = TRY(read_configs(options, paths, root));
  const std::uint32_t longest =
      options.budgets.empty() ? 0 : *std::ranges::max_element(options.budgets);
  const auto completer = TRY(Completer::open(paths, configs, longest));
  const auto variants = TRY(make_variants(options, *completer));
  {
    Bar bar("Kinglet: indexing " + root.filename().string());
    TRY(completer->index(root, [&](std::uint32_t percentage) { bar.report(percentage, ""); }));
  }
  const auto holes =
      choose_holes(completer->snapshot(),
                   TRY(indexer::Root::open(root.string())),
                   {.n_holes = options.n_holes, .seed = options.seed, .kinds = kinds});
  if (holes.empty()) {
    return fail(ErrorCode::kNotFound,
                "there is nothing to hide in " + root.string() + ": of its " +
                    std::to_string(completer->snapshot().n_files()) +
                    " indexed files none has code of these --kinds; give another folder, or see "
                    "kinglet index --explain FILE");
  }
  const fs::path output = TRY(output_of(options, paths, root, completer->models().front().name));
  auto file = TRY(ResultFile::open(output));
  const auto results = TRY(complete_all(*completer, holes, variants, file, options.seed));
  const Json summary = summarize(results);
  print_summary(results.variants, summary);
  std::printf("\nEach completion is in %s; the same command goes on from there.\n", output.c_str());
  if (!options.json.empty()) TRY(write_json(options.json, results, summary));
  return 0;
}

}  // namespace

Action eval_command(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  app.add_option("repository", options->repository, "Its folder; else the one that this one is in");
  app.add_option("--holes", options->n_holes, "How many pieces of its files to hide")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--seed", options->seed, "Of the choice: the same seed, the same holes")
      ->capture_default_str();
  app.add_option("--budget",
                 options->budgets,
                 "Tokens of the prompt, instead of what is configured; several: compared")
      ->delimiter(',');
  app.add_option("--compare-model", options->compare_model, "A second GGUF file, for comparison");
  app.add_flag("--no-context",
               options->no_context,
               "Compare with prompts of the file alone, without the repository");
  app.add_flag("--bm25",
               options->bm25,
               "Compare with prompts of whole chunks that BM25 finds, as others pack");
  app.add_option("--kinds", options->kinds, "Of holes: line, block, call, first-use")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option(
      "--output,--resume",
      options->output,
      "Where results are kept, and taken from if they are there; else in the cache folder");
  app.add_option("--json", options->json, "Write all rows and the table to this file, too");
  options->settings.add_to(app);
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
