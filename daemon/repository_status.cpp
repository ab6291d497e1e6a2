#include "daemon/repository_status.h"

namespace kinglet::daemon {

std::string_view name_of(RepositoryState state) {
  switch (state) {
    case RepositoryState::kNew:
      return "new";
    case RepositoryState::kScanning:
      return "scanning";
    case RepositoryState::kIndexing:
      return "indexing";
    case RepositoryState::kReady:
      return "ready";
    case RepositoryState::kFailed:
      return "failed";
  }
  return "?";
}

}  // namespace kinglet::daemon
