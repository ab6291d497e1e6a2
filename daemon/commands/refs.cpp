// `kinglet refs`: what a name means at a place, and where else it is used.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/commands/command.h"
#include "daemon/commands/index_session.h"
#include "daemon/commands/screen.h"
#include "daemon/commands/text_place.h"
#include "daemon/commands/verbs.h"

namespace kinglet::daemon {
namespace {

namespace fs = std::filesystem;
using lsp::Json;

struct RefsOptions {
  std::string place;
  std::string repository;
  bool json = false;
};

std::string place_of(const IndexSession& session, const Json& found) {
  const Json& start = found["range"]["start"];
  return session.shown_path(found["uri"].get<std::string>()) + ":" +
         std::to_string(start["line"].get<int>() + 1) + ":" +
         std::to_string(start["character"].get<int>() + 1);
}

std::string percent(const Json& found) {
  return std::to_string(std::lround(100 * found.value("confidence", 0.0))) + " %";
}

void print(const IndexSession& session, const Json& answer) {
  const Screen screen;
  for (const Json& file : answer["files"]) {
    std::printf("file        %5s  %s\n",
                percent(file).c_str(),
                session.shown_path(file["uri"].get<std::string>()).c_str());
  }
  for (const Json& definition : answer["definitions"]) {
    std::string reasons;
    for (const Json& reason : definition["reasons"])
      reasons += (reasons.empty() ? "" : ", ") + reason.get<std::string>();
    std::printf("definition  %5s  %s  %s%s%s  (%s)\n",
                percent(definition).c_str(),
                place_of(session, definition).c_str(),
                screen.bold(),
                definition["signature"].get<std::string>().c_str(),
                screen.plain(),
                reasons.c_str());
  }
  for (const Json& use : answer["uses"]) {
    std::printf("use         %5s  %s  %s\n",
                percent(use).c_str(),
                place_of(session, use).c_str(),
                use["text"].get<std::string>().c_str());
  }
  const auto n_skipped = answer.value("skippedFiles", std::uint64_t{0});
  if (n_skipped > 0) {
    std::fprintf(stderr,
                 "%llu files were left out: they have changed since they were indexed\n",
                 static_cast<unsigned long long>(n_skipped));
  }
}

Result<int> run(const RefsOptions& options) {
  const TextPlace place = TRY(read_place(options.place));
  const fs::path root = TRY(find_repository_root(options.repository, place.file));
  const fs::path below = place.file.lexically_relative(root);
  if (below.empty() || *below.begin() == "..") {
    return fail(ErrorCode::kInvalidArgument, place.file.string() + " is not in " + root.string());
  }
  auto session = TRY(IndexSession::open(root, ShowProgress::kYes));
  TRY(session.notify("textDocument/didOpen", place.opening()));
  const Json answer = TRY(session.request("kinglet/references", place.params()));
  TRY(session.close());
  if (options.json) std::puts(lsp::to_text(answer).c_str());
  if (answer.is_null()) {
    if (!options.json) std::fprintf(stderr, "no name stands at %s\n", options.place.c_str());
    return 1;
  }
  if (!options.json) print(session, answer);
  return answer["definitions"].empty() && answer["files"].empty() ? 1 : 0;
}

}  // namespace

Action refs_command(CLI::App& app) {
  auto options = std::make_shared<RefsOptions>();
  app.add_option("place", options->place, "FILE:LINE:COLUMN, counted from 1")->required();
  app.add_option("--repo", options->repository, "Folder of the repository; else the file's");
  app.add_flag("--json", options->json, "As JSON");
  return [options] { return run(*options); };
}

}  // namespace kinglet::daemon
