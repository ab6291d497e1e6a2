// A session of our own with the daemon, for the commands that ask its index or its prompts. The
// daemon is started if none runs; an index that is there already answers at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/lsp_client.h"
#include "lsp/json.h"

namespace kinglet::daemon {

/// The nearest folder at or above this one that is a repository's root.
std::optional<std::filesystem::path> repository_above(const std::filesystem::path& folder);

/// The folder given, or the nearest one above `from` (a file or a folder) that is a repository's
/// root, or else `from`'s own folder. Errors: kNotFound.
Result<std::filesystem::path> find_repository_root(const std::string& given,
                                                   const std::filesystem::path& from);

enum class ShowProgress : std::uint8_t { kNo, kYes };

class IndexSession {
 public:
  /// Opens the repository and waits until it is indexed; no model is loaded for it. Progress goes
  /// to standard error. Errors: kUnavailable when there is no daemon to be had, when indexing is
  /// turned off here, or failed.
  static Result<IndexSession> open(const std::filesystem::path& root, ShowProgress progress);

  /// The same for kinglet/context, with the model that completes and the settings of an editor that
  /// says nothing of its own. `root` may be empty: no repository. `flags` are those of `kinglet
  /// lsp`. A model that cannot be loaded is the error of the first request for it.
  static Result<IndexSession> open_for_prompts(const std::filesystem::path& root,
                                               const std::vector<std::string>& flags);

  Result<lsp::Json> request(std::string_view method, lsp::Json params) {
    return server_.request(method, std::move(params));
  }
  Result<void> notify(std::string_view method, lsp::Json params) {
    return server_.notify(method, std::move(params));
  }
  /// What kinglet/status says of the repository; null without one.
  const lsp::Json& repository() const { return repository_; }
  /// A path as people read it here: below the repository, from a URI.
  std::string shown_path(const std::string& uri) const;
  Result<void> close();

 private:
  IndexSession(LspClient server, std::filesystem::path root)
      : server_(std::move(server)), root_(std::move(root)) {}

  Result<void> begin(lsp::Json settings, ShowProgress progress);

  LspClient server_;
  std::filesystem::path root_;
  lsp::Json repository_;
};

}  // namespace kinglet::daemon
