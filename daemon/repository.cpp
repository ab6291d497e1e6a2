#include "daemon/repository.h"

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "daemon/wire/content_hash.h"
#include "indexer/language.h"
#include "indexer/record.h"
#include "indexer/record_version.h"

namespace kinglet::daemon {
namespace {

constexpr std::size_t kMaxProblems = 20;
// Every put() makes a segment of the index; files go in by handfuls while many are coming.
constexpr std::size_t kBatchFiles = 64;
// Files are hashed by as many as an answer within milliseconds allows.
constexpr std::size_t kHashFiles = 64;
constexpr std::uint64_t kHashBytes = 8 << 20;
// Fewer changed files than this are parsed without asking whether their contents are known.
constexpr std::size_t kFewFiles = 4;
// Handed to the writing thread and not done: beyond this the workers wait for it.
constexpr std::size_t kMaxWriting = 8;

// Small sources first, and of these what was changed last: that is what people ask for.
struct Relevance {
  bool is_preferred = false;
  bool has_grammar = false;
  bool is_small = false;
  std::int64_t modified_ns = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the comparison's 0 for a pointer
  auto operator<=>(const Relevance&) const = default;
};

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

IndexLimits limits_of(const Config& config) {
  return {.max_file_bytes = config.max_file_bytes,
          .max_files = config.max_files,
          .exclude = config.exclude};
}

Repository::Repository(std::filesystem::path root,
                       const Config& config,
                       ParseClient& parser,
                       IndexThread& thread)
    : root_(std::move(root)),
      limits_(limits_of(config)),
      n_at_once_(2 * n_parse_workers(config)),
      parser_(parser),
      thread_(thread),
      writer_(thread, root_.string()),
      history_(root_.string(), parser, thread, [this] { call(history_listeners_); }) {}

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

// --- what is to be done --------------------------------------------------------------------------

void Repository::refresh() {
  if (status_.state == RepositoryState::kScanning || status_.state == RepositoryState::kIndexing) {
    again_ = true;
    return;
  }
  const bool is_first = status_.state == RepositoryState::kNew;
  started_ns_ = now_ns();
  status_ = {};
  status_.state = RepositoryState::kScanning;
  touched_.clear();
  found_.reset();
  tell();
  // The store answers while the worker scans.
  if (is_first) {
    writer_.load([this](KeptFiles kept) {
      has_records_ = kept.has_records;
      kept_ = std::move(kept);
      scanned();
    });
  }
  parser_.scan({.root = root_.string(),
                .max_file_bytes = limits_.max_file_bytes,
                .max_files = limits_.max_files,
                .exclude = limits_.exclude},
               stop_.get_token(),
               [weak = weak_from_this()](Result<FoundFiles> found) {
                 const auto self = weak.lock();
                 if (!self) return;
                 self->found_ = std::move(found);
                 self->scanned();
               });
}

void Repository::scanned() {
  if (!kept_ || !found_) return;
  Result<FoundFiles> found = *std::exchange(found_, std::nullopt);
  if (!found) {
    status_.problem = found.error().message;
    return settle(RepositoryState::kFailed);
  }
  left_out_.clear();
  status_.left_out.clear();
  for (wire::SkippedPath& skipped : found->skipped) {
    ++status_.left_out[skipped.reason];
    left_out_.emplace(std::move(skipped.path), std::move(skipped.reason));
  }
  folders_ = std::move(found->folders);
  status_.scan_seconds = static_cast<double>(now_ns() - started_ns_) * 1e-9;
  status_.state = RepositoryState::kIndexing;
  compare(*found);
  kept_.emplace();
  tell();
  advance();
}

void Repository::compare(FoundFiles& found) {
  std::vector<std::pair<Relevance, Waiting>> changed;
  std::vector<indexer::StoredFile> to_recall;
  std::set<std::string_view> there;
  for (const wire::FoundFile& file : found.files) {
    there.insert(file.path);
    const auto [known, is_new] = known_.try_emplace(file.path, 0);
    if (known->second == file.stamp && file.stamp != 0) continue;
    const auto kept =
        std::ranges::lower_bound(kept_->files, file.path, {}, &indexer::StoredFile::path);
    if (is_new && kept != kept_->files.end() && kept->path == file.path &&
        kept->stamp == file.stamp) {
      known->second = file.stamp;
      if (kept->left_out.empty()) {
        to_recall.push_back(*kept);
      } else {
        left_out_contents_[file.path] = kept->left_out;
      }
      continue;
    }
    const Relevance relevance{.is_preferred = preferred_.contains(file.path),
                              .has_grammar = indexer::language_of(file.path, {}).grammar != nullptr,
                              .is_small = file.n_bytes <= 256 << 10,
                              .modified_ns = file.modified_ns};
    changed.emplace_back(relevance, Waiting{file.path, file.stamp, file.n_bytes});
  }
  std::vector<std::string> gone;
  for (const auto& [path, stamp] : known_) {
    if (there.contains(path)) continue;
    // It may have come back since, and been read; whether it should be, the next scan knows.
    if (touched_.contains(path) || busy_.contains(path)) {
      again_ = true;
      changed.push_back({{}, {path, 0, 0}});
    } else {
      gone.push_back(path);
    }
  }
  // What the store knows and the disk does not is of no use to anyone.
  for (const auto& kept : kept_->files) {
    if (!known_.contains(kept.path)) gone.push_back(kept.path);
  }
  // The next one last; of equals in the order of their paths.
  std::ranges::reverse(changed);
  std::ranges::stable_sort(changed, {}, [](const auto& entry) { return entry.first; });
  const bool is_worth_asking = has_records_ && changed.size() > kFewFiles;
  for (auto& [relevance, file] : changed) {
    if (relevance.is_preferred) {
      parse(std::move(file), Urgency::kInteractive);
    } else {
      (is_worth_asking ? to_hash_ : to_parse_).push_back(std::move(file));
    }
  }
  preferred_.clear();
  for (const auto& [path, reason] : left_out_contents_)
    ++status_.left_out[reason];
  status_.n_found = found.files.size();
  status_.n_changed = changed.size();
  status_.n_done = status_.n_found - std::min(status_.n_found, status_.n_changed);
  status_.n_failed = failed_.size();
  if (!gone.empty()) remove(std::move(gone));
  recall(std::move(to_recall), IndexWriter::Note::kNo);
}

/// Gives the workers what they have room for; settles when all is done.
void Repository::advance() {
  if (status_.state != RepositoryState::kIndexing) return;
  while (n_writing_ < kMaxWriting && n_parsing_ < n_at_once_) {
    if (!to_hash_.empty() && n_hashing_ == 0) {
      hash_next();
    } else if (!to_parse_.empty()) {
      Waiting file = std::move(to_parse_.back());
      to_parse_.pop_back();
      parse(std::move(file), Urgency::kBackground);
    } else {
      break;
    }
  }
  const bool is_idle = to_hash_.empty() && to_parse_.empty() && n_hashing_ == 0 && n_parsing_ == 0;
  if (is_idle) flush();
  if (is_idle && n_writing_ == 0) settle(RepositoryState::kReady);
}

// --- contents that may be known ------------------------------------------------------------------

void Repository::hash_next() {
  wire::HashFiles request{
      .root = root_.string(), .paths = {}, .max_file_bytes = limits_.max_file_bytes};
  std::vector<Waiting> files;
  std::uint64_t n_bytes = 0;
  while (!to_hash_.empty() && files.size() < kHashFiles && n_bytes < kHashBytes) {
    Waiting file = std::move(to_hash_.back());
    to_hash_.pop_back();
    n_bytes += file.n_bytes;
    // Somebody reads it already, and will once more.
    if (const auto busy = busy_.find(file.path); busy != busy_.end()) {
      busy->second = true;
      continue;
    }
    busy_[file.path] = false;
    request.paths.push_back(file.path);
    files.push_back(std::move(file));
  }
  if (files.empty()) return;
  ++n_hashing_;
  parser_.hash_files(
      request,
      stop_.get_token(),
      [weak = weak_from_this(), files = std::move(files)](Result<wire::Hashed> answer) mutable {
        if (const auto self = weak.lock()) self->hashed(std::move(files), std::move(answer));
      });
}

void Repository::hashed(std::vector<Waiting> files, Result<wire::Hashed> answer) {
  --n_hashing_;
  const bool is_good = answer && answer->files.size() == files.size() &&
                       answer->record_version == indexer::record_version();
  std::vector<indexer::StoredFile> to_recall;
  for (std::size_t i = 0; i < files.size(); ++i) {
    wire::HashedFile* file = is_good ? &answer->files[i] : nullptr;
    const auto hash = file != nullptr ? wire::hash_from(file->content_hash) : std::nullopt;
    if (!hash || file->skipped) {
      // The parser has the last word on these, too.
      busy_.erase(files[i].path);
      to_parse_.push_back(std::move(files[i]));
      continue;
    }
    to_recall.push_back({.path = std::move(files[i].path),
                         .stamp = file->stamp,
                         .hash = *hash,
                         .language = std::move(file->language),
                         .left_out = {}});
  }
  recall(std::move(to_recall), IndexWriter::Note::kYes);
  advance();
}

void Repository::recall(std::vector<indexer::StoredFile> files, IndexWriter::Note note) {
  // By handfuls: others want the thread, too, and the first answers come early.
  for (std::size_t begin = 0; begin < files.size(); begin += std::size_t{2} * kBatchFiles) {
    const std::size_t end = std::min(files.size(), begin + std::size_t{2} * kBatchFiles);
    std::vector<indexer::StoredFile> some(
        std::make_move_iterator(files.begin() + static_cast<std::ptrdiff_t>(begin)),
        std::make_move_iterator(files.begin() + static_cast<std::ptrdiff_t>(end)));
    auto stamps = std::make_shared<std::vector<Waiting>>();
    for (const auto& file : some) {
      busy_.try_emplace(file.path, false);
      stamps->push_back({file.path, file.stamp, 0});
    }
    ++n_writing_;
    writer_.recall(std::move(some), note, [this, note, stamps](std::vector<std::string> missing) {
      --n_writing_;
      std::ranges::sort(missing);
      for (Waiting& file : *stamps) {
        const bool is_missing = std::ranges::binary_search(missing, file.path);
        if (is_missing) {
          if (note == IndexWriter::Note::kNo) ++status_.n_changed;
          busy_.erase(file.path);
          to_parse_.push_back(std::move(file));
          continue;
        }
        if (note == IndexWriter::Note::kYes) ++status_.n_done;
        set_left_out(file.path, "");
        set_failed(file.path, "");
        release(file.path, file.stamp);
      }
      tell(false);
      advance();
    });
  }
}

// --- contents to be parsed -----------------------------------------------------------------------

void Repository::parse(Waiting file, Urgency urgency) {
  if (const auto busy = busy_.find(file.path); busy != busy_.end()) {
    busy->second = true;
    return;
  }
  busy_[file.path] = false;
  ++n_parsing_;
  // Not while something else may be on its way into the index for this path.
  const bool is_certain = n_writing_ == 0 && batch_.empty();
  const auto known = is_certain ? writer_.snapshot().file(file.path) : std::nullopt;
  parser_.parse({.root = root_.string(),
                 .path = file.path,
                 .text = std::nullopt,
                 .max_file_bytes = limits_.max_file_bytes,
                 .known_hash = known ? wire::bytes_of(known->hash) : ""},
                urgency,
                stop_.get_token(),
                [weak = weak_from_this(), file, urgency](Result<wire::Parsed> answer) {
                  if (const auto self = weak.lock()) self->parsed(file, urgency, std::move(answer));
                });
}

void Repository::parsed(const Waiting& file, Urgency urgency, Result<wire::Parsed> answer) {
  --n_parsing_;
  if (status_.n_done < status_.n_found) ++status_.n_done;
  if (!answer) {
    failed(file.path, answer.error());
    // Not the file's fault: the next scan tries it again.
    const ErrorCode code = answer.error().code;
    const bool is_its_fault = code == ErrorCode::kUnsupported || code == ErrorCode::kCorrupt;
    release(file.path, is_its_fault ? file.stamp : 0);
  } else {
    set_failed(file.path, "");
    set_left_out(file.path, answer->skipped ? answer->skipped->reason : "");
    if (!answer->is_unchanged) {
      ++status_.n_parsed;
      batch_.push_back({.path = file.path,
                        .record = std::move(answer->record),
                        .left_out = answer->skipped ? answer->skipped->reason : "",
                        .hash = {},
                        .stamp = answer->stamp,
                        .is_ours = answer->record_version == indexer::record_version()});
    }
    release(file.path, answer->stamp);
  }
  const bool is_awaited = urgency == Urgency::kInteractive || n_parsing_ == 0;
  if (batch_.size() >= kBatchFiles || is_awaited) flush();
  tell(false);
  advance();
}

void Repository::flush() {
  if (batch_.empty()) return;
  has_records_ = writer_.keeps();
  ++n_writing_;
  writer_.put(std::exchange(batch_, {}), [this](const IndexWriter::Failures& failures) {
    --n_writing_;
    for (const auto& [path, error] : failures) {
      set_failed(path, error.message);
      known_[path] = 0;
    }
    tell(false);
    advance();
  });
}

void Repository::failed(const std::string& path, const Error& error) {
  if (error.code == ErrorCode::kCancelled) return;
  if (error.code == ErrorCode::kNotFound) {
    if (known_.contains(path)) remove({path});
    return;
  }
  set_left_out(path, "");
  set_failed(path, error.message);
  take_out({path});
}

void Repository::remove(std::vector<std::string> paths) {
  for (const std::string& path : paths) {
    known_.erase(path);
    set_failed(path, "");
    set_left_out(path, "");
  }
  take_out(std::move(paths));
}

void Repository::take_out(std::vector<std::string> paths) {
  // What was read before goes in before.
  flush();
  ++n_writing_;
  writer_.remove(std::move(paths), [this] {
    --n_writing_;
    tell(false);
    advance();
  });
}

void Repository::release(const std::string& path, std::uint64_t stamp) {
  const auto busy = busy_.find(path);
  const bool has_changed = busy != busy_.end() && busy->second;
  if (busy != busy_.end()) busy_.erase(busy);
  if (const auto known = known_.find(path); known != known_.end()) {
    known->second = has_changed ? 0 : stamp;
  }
  if (has_changed) parse({path, 0, 0}, Urgency::kInteractive);
}

// --- single files --------------------------------------------------------------------------------

void Repository::refresh_file(const std::string& path) {
  if (status_.state == RepositoryState::kNew) return;
  const auto known = known_.find(path);
  // Whether a new file is to be indexed at all, only a scan can tell.
  if (known == known_.end()) {
    // What was too large or a link may be another thing now; a rule is a rule.
    const auto reason = left_out_.find(path);
    const bool may_have_changed = reason != left_out_.end() && reason->second != "ignored" &&
                                  reason->second != "excluded" && reason->second != "secret";
    if (may_have_changed || !is_left_out(path)) refresh();
    return;
  }
  known->second = 0;
  touched_.insert(path);
  parse({path, 0, 0}, Urgency::kInteractive);
}

void Repository::prefer(const std::string& path) {
  if (status_.state != RepositoryState::kIndexing) {
    if (!is_settled()) preferred_.insert(path);
    return;
  }
  const auto known = known_.find(path);
  if (known != known_.end() && known->second == 0) parse({path, 0, 0}, Urgency::kInteractive);
}

std::shared_ptr<void> Repository::keep_watched() {
  auto watch = watch_.lock();
  if (!watch) {
    watch = std::make_shared<RepositoryWatch>(*this, thread_);
    watch_ = watch;
    watch->start();
  }
  return watch;
}

std::string Repository::watched_how() const {
  const auto watch = watch_.lock();
  return watch ? watch->how() : "";
}

bool Repository::is_left_out(const std::string& path) const {
  return !left_out_reason(path).empty();
}

std::string Repository::left_out_reason(const std::string& path) const {
  if (const auto own = left_out_.find(path); own != left_out_.end()) return own->second;
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const auto folder = left_out_.find(path.substr(0, slash + 1));
    if (folder != left_out_.end()) return folder->second;
  }
  return "";
}

std::string Repository::why_not(const std::string& path) const {
  if (const auto failed = failed_.find(path); failed != failed_.end()) return failed->second;
  const auto content = left_out_contents_.find(path);
  return content != left_out_contents_.end() ? content->second : left_out_reason(path);
}

// --- status --------------------------------------------------------------------------------------

void Repository::set_left_out(const std::string& path, const std::string& reason) {
  const auto known = left_out_contents_.find(path);
  if (known != left_out_contents_.end()) {
    if (const auto count = status_.left_out.find(known->second);
        count != status_.left_out.end() && --count->second == 0) {
      status_.left_out.erase(count);
    }
    left_out_contents_.erase(known);
  }
  if (reason.empty()) return;
  left_out_contents_[path] = reason;
  ++status_.left_out[reason];
}

void Repository::set_failed(const std::string& path, const std::string& message) {
  if (message.empty()) {
    failed_.erase(path);
  } else {
    failed_[path] = message;
  }
  status_.n_failed = failed_.size();
}

void Repository::settle(RepositoryState state) {
  for (const auto& [path, message] : failed_) {
    if (status_.problems.size() == kMaxProblems) break;
    status_.problems.push_back(path + ": " + message);
  }
  status_.state = state;
  status_.seconds = static_cast<double>(now_ns() - started_ns_) * 1e-9;
  if (state == RepositoryState::kReady) history_.refresh();
  tell();
  if (std::exchange(again_, false)) refresh();
  thread_.trim();
}

std::shared_ptr<void> Repository::listen(Listener listener) {
  auto handle = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(handle);
  return handle;
}

std::shared_ptr<void> Repository::listen_to_history(Listener listener) {
  auto handle = std::make_shared<Listener>(std::move(listener));
  history_listeners_.push_back(handle);
  return handle;
}

void Repository::tell(bool always) {
  const std::size_t percent = status_.n_done * 100 / std::max<std::size_t>(status_.n_found, 1);
  if (!always && percent == told_) return;
  told_ = percent;
  call(listeners_);
}

void Repository::call(Listeners& listeners) const {
  std::erase_if(listeners, [](const auto& weak) { return weak.expired(); });
  // A listener may add another one.
  const auto called = listeners;
  for (const auto& weak : called) {
    if (const auto listener = weak.lock()) (*listener)(*this);
  }
}

}  // namespace kinglet::daemon
