// `kinglet context`: what the packer puts into the prompt at a place, and why.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/commands/command.h"
#include "daemon/commands/index_session.h"
#include "daemon/commands/screen.h"
#include "daemon/commands/settings_flags.h"
#include "daemon/commands/text_place.h"
#include "daemon/commands/verbs.h"
#include "daemon/features/context_text.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using lsp::Json;

struct ContextOptions {
  std::string place;
  std::string repository;
  std::optional<std::uint32_t> budget;
  SettingsFlags settings;
  bool explain = false;
  bool json = false;
  std::string other;
};

// A prompt that is asked for.
struct Wish {
  TextPlace place;
  std::optional<std::uint32_t> budget;
};

// What --diff names, beside the first.
Result<Wish> read_other(const std::string& text, const Wish& first) {
  std::uint32_t budget = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, budget);
  if (error == std::errc() && stop == end) return Wish{.place = first.place, .budget = budget};
  if (!parse_place(text)) {
    return fail(ErrorCode::kInvalidArgument,
                "--diff \"" + text +
                    "\" is neither a place nor a budget; give FILE:LINE:COLUMN or a number of "
                    "tokens");
  }
  return Wish{.place = TRY(read_place(text)), .budget = first.budget};
}

// Empty: the file is in none. Its folder alone might be anything, a home or /tmp.
Result<fs::path> root_of(const std::string& given, const fs::path& file) {
  if (!given.empty()) return find_repository_root(given, file);
  return repository_above(file.parent_path()).value_or("");
}

// Flags choose the model for this session alone: the daemon's engine is that of all editors.
Result<IndexSession> open_session(const fs::path& root, const SettingsFlags& settings) {
  std::vector<std::string> flags = settings.as_arguments();
  if (!flags.empty()) {
    flags.emplace_back("--standalone");
    // What it logs goes to our standard error.
    if (!settings.as_json().contains("logLevel"))
      flags.insert(flags.end(), {"--log-level", "warn"});
  }
  return IndexSession::open_for_prompts(root, flags);
}

Result<Json> ask(IndexSession& session, const Wish& wish) {
  Json params = wish.place.params();
  if (wish.budget) params["budget"] = *wish.budget;
  return session.request("kinglet/context", std::move(params));
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Result<int> run(const ContextOptions& options) {
  TRY(options.settings.check());
  const Wish first{.place = TRY(read_place(options.place)), .budget = options.budget};
  std::optional<Wish> second;
  if (!options.other.empty()) second = TRY(read_other(options.other, first));
  const fs::path root = TRY(root_of(options.repository, first.place.file));
  auto session = TRY(open_session(root, options.settings));
  TRY(session.notify("textDocument/didOpen", first.place.opening()));
  const Json answer = TRY(ask(session, first));
  const Screen screen;
  const HeadingStyle style{.begin = screen.bold(), .end = screen.plain()};
  if (second) {
    if (second->place.file != first.place.file)
      TRY(session.notify("textDocument/didOpen", second->place.opening()));
    print(render_context_difference(answer, TRY(ask(session, *second)), style));
  } else if (options.json) {
    std::puts(lsp::to_text(answer).c_str());
  } else {
    print(render_context(answer, style));
    if (options.explain) print(render_context_texts(answer, style));
  }
  TRY(session.close());
  return 0;
}

}  // namespace

Action context_command(CLI::App& app) {
  auto options = std::make_shared<ContextOptions>();
  app.add_option("place",
                 options->place,
                 "FILE:LINE:COLUMN, counted from 1; past the line's end means its end")
      ->required();
  app.add_option("--repo", options->repository, "Folder of the repository; else the file's");
  app.add_option(
      "--budget", options->budget, "Tokens of the prompt, instead of what is configured");
  auto* explain = app.add_flag("--explain", options->explain, "Each part's text, too");
  auto* json = app.add_flag("--json", options->json, "As JSON, with the texts and the tokens");
  auto* diff = app.add_option(
      "--diff", options->other, "Compare with the prompt at another place, or with another budget");
  explain->excludes(json)->excludes(diff);
  json->excludes(diff);
  options->settings.add_to(app);
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
