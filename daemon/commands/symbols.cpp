// `kinglet symbols`: definitions by their names.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "daemon/commands/command.h"
#include "daemon/commands/index_session.h"
#include "daemon/commands/screen.h"
#include "daemon/commands/verbs.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

struct SymbolsOptions {
  std::string query;
  std::string repository;
  std::string kind;
  std::uint32_t limit = 50;
  bool json = false;
};

Result<int> run(const SymbolsOptions& options) {
  const auto root = TRY(find_repository_root(options.repository, "."));
  auto session = TRY(IndexSession::open(root, ShowProgress::kYes));
  Json params = {{"query", options.query}, {"limit", options.limit}};
  if (!options.kind.empty()) params["kind"] = options.kind;
  Json symbols = TRY(session.request("kinglet/symbols", std::move(params)));
  TRY(session.close());
  if (options.json) {
    std::puts(lsp::to_text(symbols).c_str());
    return symbols.empty() ? 1 : 0;
  }
  const Screen screen;
  for (const Json& symbol : symbols) {
    const std::string container = symbol.value("container", "");
    std::printf("%s:%d:%d  %s%s%s  %s%s\n",
                session.shown_path(symbol["uri"].get<std::string>()).c_str(),
                symbol["range"]["start"]["line"].get<int>() + 1,
                symbol["range"]["start"]["character"].get<int>() + 1,
                screen.bold(),
                symbol["name"].get<std::string>().c_str(),
                screen.plain(),
                symbol["kind"].get<std::string>().c_str(),
                container.empty() ? "" : (" in " + container).c_str());
  }
  return symbols.empty() ? 1 : 0;
}

}  // namespace

Action symbols_command(CLI::App& app) {
  auto options = std::make_shared<SymbolsOptions>();
  app.add_option("query", options->query, "Letters of the name, in order; Foo::ba, foo.ba")
      ->required();
  app.add_option("--repo", options->repository, "Folder of the repository; else the one here");
  app.add_option("--kind", options->kind, "Only this kind: function, method, class, macro, …");
  app.add_option("--limit", options->limit, "At most so many")->capture_default_str();
  app.add_flag("--json", options->json, "As JSON");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
