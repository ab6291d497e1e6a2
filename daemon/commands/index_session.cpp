#include "daemon/commands/index_session.h"

#include <memory>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "daemon/commands/screen.h"
#include "daemon/version.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

namespace fs = std::filesystem;
using lsp::Json;

std::optional<fs::path> repository_above(const fs::path& folder) {
  std::error_code error;
  for (fs::path above = folder;; above = above.parent_path()) {
    for (const char* marker : {".git", ".hg", ".svn"}) {
      if (fs::exists(above / marker, error)) return above;
    }
    if (above == above.parent_path()) return std::nullopt;
  }
}

Result<fs::path> find_repository_root(const std::string& given, const fs::path& from) {
  std::error_code error;
  if (!given.empty()) {
    fs::path root = fs::canonical(given, error);
    if (error || !fs::is_directory(root, error)) {
      return fail(ErrorCode::kNotFound,
                  "no such folder: " + given + "; give the folder of a repository");
    }
    return root;
  }
  fs::path start = fs::canonical(from, error);
  if (error) return fail(ErrorCode::kNotFound, "no such file or folder: " + from.string());
  if (!fs::is_directory(start, error)) start = start.parent_path();
  return repository_above(start).value_or(start);
}

Result<IndexSession> IndexSession::open(const fs::path& root, ShowProgress progress) {
  IndexSession session(TRY(LspClient::start({"lsp"})), root);
  TRY(session.begin({{"completions", false}, {"navigation", "on"}}, progress));
  return session;
}

Result<IndexSession> IndexSession::open_for_prompts(const fs::path& root,
                                                    const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {"lsp"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  IndexSession session(TRY(LspClient::start(std::move(arguments))), root);
  TRY(session.begin(Json::object(), ShowProgress::kYes));
  return session;
}

Result<void> IndexSession::begin(Json settings, ShowProgress progress) {
  const Screen screen(stderr);
  ProgressBar bar(screen);
  Json started;  // until there is progress: an index that is up to date says nothing
  server_.on_notification([&](const std::string& method, const Json& params) {
    if (progress == ShowProgress::kNo || method != "$/progress") return;
    const Json value = params.value("value", Json::object());
    const std::string kind = value.value("kind", "");
    if (kind == "begin") {
      started = value;
      return;
    }
    if (kind == "end" && !started.is_null()) return;
    if (!started.is_null()) bar.update(std::exchange(started, nullptr));
    bar.update(value);
  });
  TRY(server_.request(
      "initialize",
      {{"processId", ::getpid()},
       {"clientInfo", {{"name", "kinglet"}, {"version", kVersion}}},
       {"rootUri", root_.empty() ? Json() : Json(lsp::uri_from_path(root_.string()))},
       {"initializationOptions", std::move(settings)},
       {"capabilities",
        {{"general", {{"positionEncodings", {"utf-8"}}}},
         {"window", {{"workDoneProgress", progress == ShowProgress::kYes}}}}}}));
  TRY(server_.notify("initialized", Json::object()));
  const Json status = TRY(server_.request("kinglet/ready", Json::object()));
  server_.on_notification(nullptr);
  if (root_.empty()) return {};
  if (status["repositories"].empty()) {
    return fail(ErrorCode::kUnavailable,
                "indexing is turned off here: \"enabled\" is false in config.json or in the "
                "repository's own .kinglet.json");
  }
  repository_ = status["repositories"][0];
  const std::string problem = repository_.value("problem", "");
  if (!problem.empty()) return fail(ErrorCode::kUnavailable, problem);
  return {};
}

std::string IndexSession::shown_path(const std::string& uri) const {
  const auto path = lsp::path_from_uri(uri);
  if (!path || root_.empty()) return path.value_or(uri);
  const fs::path below = fs::path(*path).lexically_relative(root_);
  return below.empty() || *below.begin() == ".." ? *path : below.string();
}

Result<void> IndexSession::close() {
  TRY(server_.request("shutdown", nullptr));
  return server_.notify("exit", nullptr);
}

}  // namespace kinglet::daemon
