// A session of our own with the daemon, for the commands that ask its index. The daemon is started
// if none runs; an index that is there already answers at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/lsp_client.h"
#include "lsp/json.h"

namespace kinglet::daemon {

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

  Result<lsp::Json> request(std::string_view method, lsp::Json params) {
    return server_.request(method, std::move(params));
  }
  Result<void> notify(std::string_view method, lsp::Json params) {
    return server_.notify(method, std::move(params));
  }
  /// What kinglet/status says of the repository.
  const lsp::Json& repository() const { return repository_; }
  /// A path as people read it here: below the repository, from a URI.
  std::string shown_path(const std::string& uri) const;
  Result<void> close();

 private:
  IndexSession(LspClient server, std::filesystem::path root)
      : server_(std::move(server)), root_(std::move(root)) {}

  LspClient server_;
  std::filesystem::path root_;
  lsp::Json repository_;
};

}  // namespace kinglet::daemon
