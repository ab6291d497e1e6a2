#include "daemon/repositories.h"

#include <algorithm>

namespace kinglet::daemon {
namespace {

constexpr std::size_t kKeptUnused = 2;

}  // namespace

std::shared_ptr<Repository> Repositories::open(const std::filesystem::path& root,
                                               const Config& config) {
  const IndexLimits limits = limits_of(config);
  const auto found = std::ranges::find_if(known_, [&](const auto& repository) {
    return repository->root() == root && repository->limits() == limits;
  });
  if (found != known_.end()) {
    known_.splice(known_.begin(), known_, found);
  } else {
    known_.push_front(std::make_shared<Repository>(root, config, parser_, thread_));
  }
  std::size_t n_unused = 0;
  known_.remove_if([&](const auto& repository) {
    return repository != known_.front() && repository.use_count() == 1 && ++n_unused > kKeptUnused;
  });
  return known_.front();
}

std::vector<std::shared_ptr<const Repository>> Repositories::all() const {
  return {known_.begin(), known_.end()};
}

}  // namespace kinglet::daemon
