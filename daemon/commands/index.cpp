// `kinglet index`: bring a repository's index up to date and look into it.
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands/command.h"
#include "daemon/commands/index_session.h"
#include "daemon/commands/verbs.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "indexer/error_share.h"
#include "indexer/ignore_rules.h"
#include "indexer/language.h"
#include "indexer/parse.h"
#include "indexer/scan.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using lsp::Json;

struct IndexOptions {
  std::string repository;
  bool stats = false;
  bool json = false;
  bool dump = false;
  bool quiet = false;
  std::string explain;
};

const char* describe(indexer::Coverage coverage) {
  switch (coverage) {
    case indexer::Coverage::kFull:
      return "parsed to its end, without errors";
    case indexer::Coverage::kErrors:
      return "parsed to its end, with errors";
    case indexer::Coverage::kLexical:
      return "words only: too large for its grammar, or out of time";
    case indexer::Coverage::kPlain:
      return "words only: there is no grammar for it";
  }
  return "?";
}

// The configuration's "exclude" patterns; the rule that leaves a path out.
std::string excluding_rule(const Config& config, const std::string& path) {
  std::string text;
  for (const std::string& pattern : config.exclude)
    text += pattern + "\n";
  const indexer::IgnoreRules rules(text, "exclude");
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const bool is_whole = end == std::string::npos;
    const auto match = rules.match(is_whole ? path : path.substr(0, end), !is_whole);
    if (match && match->is_ignored) return match->rule;
    if (is_whole) return "";
  }
}

Result<Json> explain(const fs::path& root, const std::string& file) {
  std::error_code error;
  const fs::path whole = fs::absolute(file, error).lexically_normal();
  fs::path below = whole.lexically_relative(root);
  // The folder may have been reached through a link, which the root is without.
  if (below.empty() || *below.begin() == "..") {
    const fs::path folder = fs::canonical(whole.parent_path(), error);
    if (!error) below = (folder / whole.filename()).lexically_relative(root);
  }
  if (below.empty() || *below.begin() == "..") {
    return fail(ErrorCode::kInvalidArgument,
                file + " is not in " + root.string() + "; nothing outside of it is indexed");
  }
  const std::string path = below.generic_string();
  const auto paths = TRY(find_paths());
  Config config;
  apply_config_file(paths.config_file(), ConfigSource::kUser, config);
  apply_config_file(root / ".kinglet.json", ConfigSource::kRepository, config);
  Json answer = {{"path", path}, {"indexed", false}};
  const auto folder = TRY(indexer::Root::open(root.string()));
  const auto skipped =
      TRY(indexer::explain(folder, path, {.max_file_bytes = config.max_file_bytes}));
  if (!config.enabled) {
    answer["reason"] = "disabled";
    answer["detail"] = "\"enabled\" is false";
  } else if (skipped) {
    answer["reason"] = name_of(skipped->reason);
    answer["detail"] = skipped->detail;
  } else if (const std::string rule = excluding_rule(config, path); !rule.empty()) {
    answer["reason"] = "excluded";
    answer["detail"] = rule;
  } else {
    // What only the daemon knows: how many files there are, what a worker did not survive.
    auto session = TRY(IndexSession::open(root, ShowProgress::kYes));
    const Json known = TRY(session.request("kinglet/explain", {{"path", (root / path).string()}}));
    TRY(session.close());
    answer["clang"] = known.value("clang", "");
    if (!known.value("indexed", false)) {
      const std::string reason = known.value("reason", "");
      answer["reason"] = reason.empty() ? "it has not been read yet" : reason;
      answer["detail"] = "says the daemon";
      return answer;
    }
    const std::string text = TRY(folder.read(path, config.max_file_bytes));
    const indexer::Language& language = indexer::language_of(path, text);
    const auto record = TRY(indexer::parse_file(language, text));
    const auto share = indexer::error_share(language, text);
    answer.update({{"indexed", true},
                   {"language", record.language},
                   {"bytes", record.n_bytes},
                   {"lines", record.n_lines},
                   {"coverage", describe(record.coverage)},
                   {"errorShare", share ? Json(*share) : Json()},
                   {"definitions", record.definitions.size()},
                   {"references", record.references.size()},
                   {"imports", record.imports.size()},
                   {"chunks", record.chunks.size()},
                   {"hash", indexer::to_hex(record.hash)}});
  }
  return answer;
}

void print_explanation(const Json& answer) {
  const std::string path = answer["path"].get<std::string>();
  if (!answer["indexed"].get<bool>()) {
    std::printf("%s: not indexed: %s (%s)\n",
                path.c_str(),
                answer["reason"].get<std::string>().c_str(),
                answer["detail"].get<std::string>().c_str());
    return;
  }
  std::printf("%s: indexed\n", path.c_str());
  const auto row = [](const char* label, const std::string& text) {
    std::printf("  %-12s %s\n", label, text.c_str());
  };
  row("language", answer["language"].get<std::string>());
  row("size", answer["bytes"].dump() + " bytes, " + answer["lines"].dump() + " lines");
  row("coverage", answer["coverage"].get<std::string>());
  if (answer["errorShare"].is_number()) {
    char share[32];
    std::snprintf(share, sizeof share, "%.1f %%", 100 * answer["errorShare"].get<double>());
    row("in errors", std::string(share) + " of its bytes");
  }
  for (const char* count : {"definitions", "references", "imports", "chunks"})
    row(count, answer[count].dump());
  if (const std::string problem = answer.value("clang", ""); !problem.empty())
    row("libclang", problem);
}

void print_stats(const Json& repository) {
  const auto number = [&](const char* key) { return repository.value(key, Json(0)).dump(); };
  std::printf("%s\n", repository.value("root", "?").c_str());
  std::printf("  files        %s\n", number("files").c_str());
  std::printf("  bytes        %s\n", number("bytes").c_str());
  std::printf("  definitions  %s\n", number("definitions").c_str());
  std::printf("  references   %s\n", number("references").c_str());
  std::printf("  memory       %.1f MB", 1e-6 * repository.value("memoryBytes", 0.0));
  if (const double in_files = repository.value("fileMemoryBytes", 0.0); in_files > 0)
    std::printf(", and %.1f MB in files", 1e-6 * in_files);
  std::printf("\n");
  std::printf("  seconds      %.2f\n", repository.value("seconds", 0.0));
  const Json left_out = repository.value("leftOut", Json::object());
  for (const auto& [reason, count] : left_out.items())
    std::printf("  left out     %s %s\n", count.dump().c_str(), reason.c_str());
  const Json problems = repository.value("problems", Json::array());
  for (const Json& problem : problems)
    std::printf("  problem      %s\n", problem.get<std::string>().c_str());
}

Result<int> dump(IndexSession& session) {
  for (std::uint32_t page = 0;; ++page) {
    const Json answer = TRY(session.request("kinglet/dump", {{"page", page}}));
    const std::string text = answer.value("text", "");
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (answer.value("last", true)) return 0;
  }
}

Result<int> run(const IndexOptions& options) {
  const fs::path from = options.explain.empty() ? fs::path(".") : fs::path(options.explain);
  // A file that is to be explained may not be there; its folder tells the repository.
  std::error_code error;
  const fs::path start = fs::exists(from, error) ? from : fs::path(".");
  const fs::path root = TRY(find_repository_root(options.repository, start));
  if (!options.explain.empty()) {
    const Json answer = TRY(explain(root, options.explain));
    if (options.json) {
      std::puts(lsp::to_text(answer).c_str());
    } else {
      print_explanation(answer);
    }
    return 0;
  }
  auto session =
      TRY(IndexSession::open(root, options.quiet ? ShowProgress::kNo : ShowProgress::kYes));
  if (options.dump) {
    TRY(dump(session));
  } else if (options.json) {
    std::puts(lsp::to_text(session.repository()).c_str());
  } else if (options.stats) {
    print_stats(session.repository());
  } else if (!options.quiet) {
    const Json& repository = session.repository();
    std::printf("%s: %s files, %s definitions, %s references, %.2f s\n",
                repository.value("root", "?").c_str(),
                repository.value("files", Json(0)).dump().c_str(),
                repository.value("definitions", Json(0)).dump().c_str(),
                repository.value("references", Json(0)).dump().c_str(),
                repository.value("seconds", 0.0));
  }
  TRY(session.close());
  return 0;
}

}  // namespace

Action index_command(CLI::App& app) {
  auto options = std::make_shared<IndexOptions>();
  app.add_option("repository", options->repository, "Folder of the repository; else the one here");
  app.add_flag("--stats", options->stats, "What the index holds, and what was left out");
  app.add_flag("--json", options->json, "The statistics, or the explanation, as JSON");
  app.add_flag("--dump", options->dump, "All of the index as sorted text");
  app.add_option("--explain", options->explain, "Why a file is indexed or is not, and how");
  app.add_flag("-q,--quiet", options->quiet, "No progress, no summary");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
