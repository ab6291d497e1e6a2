#include "daemon/semantics_hub.h"

#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "indexer/clang/compile_commands.h"

namespace kinglet::daemon {

namespace {

using Hashes = std::map<std::string, indexer::ContentHash>;

bool is_database(const std::string& path) {
  return path.ends_with("compile_commands.json") || path.ends_with("compile_flags.txt");
}

/// What of an index concerns C and C++.
Hashes hashes_of(const indexer::Snapshot& snapshot) {
  Hashes hashes;
  for (auto& file : snapshot.files()) {
    if (indexer::clang::is_c_family(file.path) || is_database(file.path)) {
      hashes.emplace(std::move(file.path), file.hash);
    }
  }
  return hashes;
}

}  // namespace

ClangUse clang_use_of(std::string_view word) {
  if (word == "off") return ClangUse::kOff;
  return word == "open" ? ClangUse::kOpenFiles : ClangUse::kAll;
}

/// One repository's index, watched for its semantics.
class SemanticsHub::Watch : public std::enable_shared_from_this<Watch> {
 public:
  Watch(std::shared_ptr<Repository> repository,
        std::shared_ptr<Semantics> semantics,
        boost::asio::any_io_executor protocol,
        boost::asio::any_io_executor pool)
      : repository_(std::move(repository)),
        semantics_(std::move(semantics)),
        protocol_(std::move(protocol)),
        pool_(std::move(pool)) {}

  void start() {
    listening_ = repository_->listen([weak = weak_from_this()](const Repository&) {
      if (const auto self = weak.lock()) self->look();
    });
    look();
  }

  Semantics& semantics() const { return *semantics_; }

 private:
  /// Compares the index with what was seen of it last.
  void look() {
    if (!repository_->is_settled()) return;
    if (is_looking_) {
      again_ = true;
      return;
    }
    is_looking_ = true;
    boost::asio::post(
        pool_, [weak = weak_from_this(), protocol = protocol_, snapshot = repository_->snapshot()] {
          boost::asio::post(protocol, [weak, hashes = hashes_of(snapshot)]() mutable {
            if (const auto self = weak.lock()) self->looked(std::move(hashes));
          });
        });
  }

  void looked(Hashes hashes) {
    is_looking_ = false;
    bool is_plan_old = hashes.size() != seen_.size();
    std::vector<std::string> changed;
    std::vector<std::string> paths;
    for (const auto& [path, hash] : hashes) {
      paths.push_back(path);
      const auto before = seen_.find(path);
      if (before == seen_.end()) {
        is_plan_old = true;
      } else if (before->second != hash) {
        is_plan_old = is_plan_old || is_database(path);
        changed.push_back(path);
      }
    }
    for (const auto& [path, hash] : seen_) {
      if (!hashes.contains(path)) changed.push_back(path);
    }
    seen_ = std::move(hashes);
    if (is_plan_old) semantics_->set_files(std::move(paths));
    for (const auto& path : changed)
      semantics_->file_changed(path);
    if (std::exchange(again_, false)) look();
  }

  std::shared_ptr<Repository> repository_;
  std::shared_ptr<Semantics> semantics_;
  boost::asio::any_io_executor protocol_;
  boost::asio::any_io_executor pool_;
  std::shared_ptr<void> listening_;
  Hashes seen_;
  bool is_looking_ = false;
  bool again_ = false;
};

SemanticsHub::SemanticsHub(ClangClient& client,
                           boost::asio::any_io_executor protocol,
                           boost::asio::any_io_executor pool)
    : client_(client), protocol_(std::move(protocol)), pool_(std::move(pool)) {}

SemanticsHub::~SemanticsHub() = default;

std::shared_ptr<Semantics> SemanticsHub::attach(const std::shared_ptr<Repository>& repository,
                                                ClangUse use) {
  std::erase_if(watches_, [](const auto& entry) { return entry.second.expired(); });
  auto watch = watches_[repository.get()].lock();
  if (!watch) {
    watch = std::make_shared<Watch>(
        repository,
        std::make_shared<Semantics>(repository->root().string(), use, client_, protocol_, pool_),
        protocol_,
        pool_);
    watches_[repository.get()] = watch;
    watch->start();
  }
  // Who holds the semantics holds its watch.
  return {watch, &watch->semantics()};
}

}  // namespace kinglet::daemon
