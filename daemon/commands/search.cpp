// `kinglet search`: text and file names in what is indexed.
#include <cstdio>
#include <memory>
#include <string>

#include "daemon/commands/command.h"
#include "daemon/commands/index_session.h"
#include "daemon/commands/verbs.h"

namespace kinglet::daemon {
namespace {

using lsp::Json;

struct SearchOptions {
  std::string query;
  std::string repository;
  bool regex = false;
  bool files = false;
  bool ignore_case = false;
  bool json = false;
  std::uint32_t limit = 1000;
};

Result<int> run(const SearchOptions& options) {
  const auto root = TRY(find_repository_root(options.repository, "."));
  auto session = TRY(IndexSession::open(root, ShowProgress::kYes));
  const Json answer = TRY(session.request("kinglet/search",
                                          {{"query", options.query},
                                           {"regex", options.regex},
                                           {"files", options.files},
                                           {"ignoreCase", options.ignore_case},
                                           {"limit", options.limit}}));
  TRY(session.close());
  const Json& found = answer[options.files ? "files" : "matches"];
  if (options.json) {
    std::puts(lsp::to_text(answer).c_str());
    return found.empty() ? 1 : 0;
  }
  for (const Json& one : found) {
    const std::string path = one["path"].get<std::string>();
    if (options.files) {
      std::puts(path.c_str());
      continue;
    }
    std::printf("%s:%s:%s: %s\n",
                path.c_str(),
                one["line"].dump().c_str(),
                one["column"].dump().c_str(),
                one["text"].get<std::string>().c_str());
  }
  const Json problems = answer.value("problems", Json::array());
  for (const Json& problem : problems)
    std::fprintf(stderr, "kinglet: %s\n", problem.get<std::string>().c_str());
  if (answer.value("truncated", false)) {
    std::fprintf(stderr, "There are more; --limit shows them.\n");
  }
  return found.empty() ? 1 : 0;
}

}  // namespace

Action search_command(CLI::App& app) {
  auto options = std::make_shared<SearchOptions>();
  app.add_option("query", options->query, "Text, a regular expression, or letters of a path")
      ->required();
  app.add_option("--repo", options->repository, "Folder of the repository; else the one here");
  app.add_flag("--regex", options->regex, "A regular expression in Perl's syntax, line by line");
  app.add_flag("--files", options->files, "Names of files instead of their text, fuzzily");
  app.add_flag("-i,--ignore-case", options->ignore_case, "Large and small letters are the same");
  app.add_option("--limit", options->limit, "At most so many")->capture_default_str();
  app.add_flag("--json", options->json, "As JSON");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
