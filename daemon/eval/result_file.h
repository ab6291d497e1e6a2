// Results of completed holes, a JSON object in each line. A run that is ended in the middle leaves
// what it has done, and the next one goes on from there.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "lsp/json.h"

namespace kinglet::daemon {

class ResultFile {
 public:
  /// Makes the file if it is not there; a last line that was not written to its end is taken away.
  /// Errors: kIo, and kInvalidArgument for a file that holds anything else, which is left as it is.
  static Result<ResultFile> open(const std::filesystem::path& path);

  /// The row with this "key"; null: it is still to be computed.
  const lsp::Json* find(const std::string& key) const;
  /// Appends a row, which has a "key". It is in the file when this returns.
  Result<void> add(const lsp::Json& row);

 private:
  ResultFile(std::filesystem::path path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  std::filesystem::path path_;
  UniqueFd fd_;
  std::map<std::string, lsp::Json> rows_;  // by key
};

}  // namespace kinglet::daemon
