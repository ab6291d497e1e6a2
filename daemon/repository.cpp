#include "daemon/repository.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "indexer/record.h"

namespace kinglet::daemon {
namespace {

constexpr std::size_t kMaxProblems = 20;
// Every put() makes a segment of the index; files go in by handfuls while many are coming.
constexpr std::size_t kBatchFiles = 64;

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

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

IndexLimits limits_of(const Config& config) {
  return {.max_file_bytes = config.max_file_bytes,
          .max_files = config.max_files,
          .exclude = config.exclude};
}

Repository::Repository(std::filesystem::path root, const Config& config, ParseClient& parser)
    : root_(std::move(root)),
      limits_(limits_of(config)),
      n_at_once_(std::max<std::size_t>(std::size_t{2} * config.parse_workers, 2)),
      parser_(parser) {}

Repository::~Repository() {
  stop_.request_stop();
}

std::string Repository::name() const {
  const std::string name = root_.filename().string();
  return name.empty() ? "root" : name;
}

std::optional<std::string> Repository::relative(const std::filesystem::path& path) const {
  const std::filesystem::path below = path.lexically_normal().lexically_relative(root_);
  if (below.empty() || below.native() == "." || below.native().starts_with("..")) {
    return std::nullopt;
  }
  return below.generic_string();
}

void Repository::refresh() {
  if (status_.state == RepositoryState::kScanning || status_.state == RepositoryState::kIndexing) {
    again_ = true;
    return;
  }
  started_ns_ = now_ns();
  status_ = {};
  status_.state = RepositoryState::kScanning;
  tell();
  parser_.scan({.root = root_.string(),
                .max_file_bytes = limits_.max_file_bytes,
                .max_files = limits_.max_files,
                .exclude = limits_.exclude},
               stop_.get_token(),
               [weak = weak_from_this()](Result<FoundFiles> found) {
                 if (const auto self = weak.lock()) self->scanned(std::move(found));
               });
}

void Repository::scanned(Result<FoundFiles> found) {
  if (!found) {
    status_.problem = found.error().message;
    return settle(RepositoryState::kFailed);
  }
  left_out_.clear();
  for (wire::SkippedPath& skipped : found->skipped) {
    ++status_.left_out[skipped.reason];
    left_out_.insert(std::move(skipped.path));
  }
  std::set<std::string_view> there;
  for (const wire::FoundFile& file : found->files) {
    there.insert(file.path);
    const Stamp stamp{file.n_bytes, file.modified_ns};
    const auto [known, is_new] = indexed_.try_emplace(file.path, stamp);
    if (!is_new && known->second == stamp) continue;
    known->second = stamp;
    queue_.push_back(file.path);
  }
  std::erase_if(indexed_, [&](const auto& entry) {
    if (there.contains(entry.first)) return false;
    index_.remove(entry.first);
    return true;
  });
  status_.n_found = found->files.size();
  status_.n_changed = queue_.size();
  status_.n_done = status_.n_found - queue_.size();
  std::reverse(queue_.begin(), queue_.end());
  status_.state = RepositoryState::kIndexing;
  tell();
  parse_next();
}

void Repository::parse_next() {
  while (n_in_flight_ < n_at_once_ && !queue_.empty()) {
    ++n_in_flight_;
    std::string path = std::move(queue_.back());
    queue_.pop_back();
    const wire::Parse request{.root = root_.string(),
                              .path = path,
                              .text = std::nullopt,
                              .want_text = wire::WantText::kNo,
                              .max_file_bytes = limits_.max_file_bytes};
    parser_.parse(request,
                  Urgency::kBackground,
                  stop_.get_token(),
                  [weak = weak_from_this(), path = std::move(path)](Result<wire::Parsed> answer) {
                    if (const auto self = weak.lock()) self->parsed(path, std::move(answer));
                  });
  }
  if (n_in_flight_ == 0 && status_.state == RepositoryState::kIndexing) {
    settle(RepositoryState::kReady);
  }
}

void Repository::parsed(const std::string& path, Result<wire::Parsed> answer) {
  --n_in_flight_;
  ++status_.n_done;
  store(path, std::move(answer));
  if (batch_.size() >= kBatchFiles || (queue_.empty() && n_in_flight_ == 0)) {
    index_.put(std::exchange(batch_, {}));
  }
  tell();
  parse_next();
}

void Repository::store(const std::string& path, Result<wire::Parsed> answer) {
  auto record = answer.and_then([&](const wire::Parsed& parsed) -> Result<indexer::FileRecord> {
    if (parsed.skipped) return fail(ErrorCode::kUnsupported, parsed.skipped->reason);
    return indexer::deserialize(std::as_bytes(std::span(parsed.record)));
  });
  if (record) {
    batch_.emplace_back(path, *std::move(record));
    return;
  }
  index_.remove(path);
  if (answer && answer->skipped) {
    ++status_.left_out[answer->skipped->reason];
    return;
  }
  if (record.error().code == ErrorCode::kNotFound) return;  // gone since it was found
  // Not the file's fault: the next scan tries it again.
  const ErrorCode code = record.error().code;
  if (code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
      code == ErrorCode::kCancelled || code == ErrorCode::kOutOfMemory) {
    indexed_[path] = Stamp{};
  }
  ++status_.n_failed;
  if (status_.problems.size() < kMaxProblems) {
    status_.problems.push_back(path + ": " + record.error().message);
  }
}

void Repository::refresh_file(const std::string& path) {
  const auto known = indexed_.find(path);
  // Whether a new file is to be indexed at all, only a scan can tell.
  if (known == indexed_.end() && is_left_out(path)) return;
  if (known == indexed_.end()) return refresh();
  // Its stamp is not known here: the next scan reads it once more, no harm done.
  known->second = Stamp{};
  const wire::Parse request{.root = root_.string(),
                            .path = path,
                            .text = std::nullopt,
                            .want_text = wire::WantText::kNo,
                            .max_file_bytes = limits_.max_file_bytes};
  parser_.parse(request,
                Urgency::kInteractive,
                stop_.get_token(),
                [weak = weak_from_this(), path](Result<wire::Parsed> answer) {
                  const auto self = weak.lock();
                  if (!self) return;
                  self->store(path, std::move(answer));
                  self->index_.put(std::exchange(self->batch_, {}));
                  self->tell();
                });
}

bool Repository::is_left_out(const std::string& path) const {
  if (left_out_.contains(path)) return true;
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (left_out_.contains(path.substr(0, slash + 1))) return true;
  }
  return false;
}

void Repository::settle(RepositoryState state) {
  status_.state = state;
  status_.seconds = static_cast<double>(now_ns() - started_ns_) * 1e-9;
  tell();
  if (std::exchange(again_, false)) refresh();
}

std::shared_ptr<void> Repository::listen(Listener listener) {
  auto handle = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(handle);
  return handle;
}

void Repository::tell() {
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
  // A listener may add another one.
  const auto listeners = listeners_;
  for (const auto& weak : listeners) {
    if (const auto listener = weak.lock()) (*listener)(*this);
  }
}

}  // namespace kinglet::daemon
