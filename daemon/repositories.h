// The repositories that this daemon knows, one object for each root, whoever opened it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <list>
#include <memory>
#include <vector>

#include "daemon/config.h"
#include "daemon/processes/parse_client.h"
#include "daemon/repository.h"

namespace kinglet::daemon {

/// For the protocol thread.
class Repositories {
 public:
  /// `parser` and `thread` outlive this.
  Repositories(ParseClient& parser, IndexThread& thread) : parser_(parser), thread_(thread) {}

  /// The repository at `root` (absolute) with the limits of `config`: who excludes other files has
  /// another index. It lives while somebody holds it, and the last few a while longer: an editor
  /// that is closed and opened again finds its index.
  std::shared_ptr<Repository> open(const std::filesystem::path& root, const Config& config);

  std::vector<std::shared_ptr<const Repository>> all() const;

 private:
  ParseClient& parser_;
  IndexThread& thread_;
  std::list<std::shared_ptr<Repository>> known_;  // last opened first
};

}  // namespace kinglet::daemon
