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
  for (fs::path folder = start;; folder = folder.parent_path()) {
    for (const char* marker : {".git", ".hg", ".svn"}) {
      if (fs::exists(folder / marker, error)) return folder;
    }
    if (folder == folder.parent_path()) return start;
  }
}

Result<IndexSession> IndexSession::open(const fs::path& root, ShowProgress progress) {
  IndexSession session(TRY(LspClient::start({"lsp"})), root);
  const Screen screen(stderr);
  ProgressBar bar(screen);
  Json begin;  // until there is progress: an index that is up to date says nothing
  session.server_.on_notification([&](const std::string& method, const Json& params) {
    if (progress == ShowProgress::kNo || method != "$/progress") return;
    const Json value = params.value("value", Json::object());
    const std::string kind = value.value("kind", "");
    if (kind == "begin") {
      begin = value;
      return;
    }
    if (kind == "end" && !begin.is_null()) return;
    if (!begin.is_null()) bar.update(std::exchange(begin, nullptr));
    bar.update(value);
  });
  TRY(session.server_.request(
      "initialize",
      {{"processId", ::getpid()},
       {"clientInfo", {{"name", "kinglet"}, {"version", kVersion}}},
       {"rootUri", lsp::uri_from_path(root.string())},
       {"initializationOptions", {{"completions", false}, {"navigation", "on"}}},
       {"capabilities",
        {{"general", {{"positionEncodings", {"utf-8"}}}},
         {"window", {{"workDoneProgress", progress == ShowProgress::kYes}}}}}}));
  TRY(session.server_.notify("initialized", Json::object()));
  const Json status = TRY(session.server_.request("kinglet/ready", Json::object()));
  session.server_.on_notification(nullptr);
  if (status["repositories"].empty()) {
    return fail(ErrorCode::kUnavailable,
                "indexing is turned off here: \"enabled\" is false in config.json or in the "
                "repository's own .kinglet.json");
  }
  session.repository_ = status["repositories"][0];
  const std::string problem = session.repository_.value("problem", "");
  if (!problem.empty()) return fail(ErrorCode::kUnavailable, problem);
  return session;
}

std::string IndexSession::shown_path(const std::string& uri) const {
  const auto path = lsp::path_from_uri(uri);
  if (!path) return uri;
  const fs::path below = fs::path(*path).lexically_relative(root_);
  return below.empty() || *below.begin() == ".." ? *path : below.string();
}

Result<void> IndexSession::close() {
  TRY(server_.request("shutdown", nullptr));
  return server_.notify("exit", nullptr);
}

}  // namespace kinglet::daemon
