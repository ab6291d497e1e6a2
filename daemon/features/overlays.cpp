#include "daemon/features/overlays.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "indexer/judge.h"
#include "indexer/segment.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

/// Workers are shared by all sessions.
std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace

/// One open document. Callbacks hold it weakly: it goes with its document.
struct Overlays::Entry {
  explicit Entry(const asio::any_io_executor& executor) : timer(executor) {}

  const std::uint64_t number = next_number();
  std::shared_ptr<Repository> repository;
  std::string path;  // below its root
  lsp::Document document;
  bool has_changed = false;  // since the last parse began
  bool is_parsing = false;
  Clock::time_point began;
  asio::steady_timer timer;
  std::stop_source stop;

  // What was parsed last; null: nothing to lay over.
  std::shared_ptr<const indexer::Segment> segment;
  std::shared_ptr<const lsp::TextBuffer> text;
  indexer::ContentHash hash;
  bool is_exact = true;
  bool was_edited = false;  // it differed from what is indexed, once
};

Overlays::Overlays(asio::any_io_executor protocol, asio::any_io_executor pool, ParseClient& parser)
    : protocol_(std::move(protocol)), pool_(std::move(pool)), parser_(parser) {}

Overlays::~Overlays() {
  for (const auto& [uri, entry] : entries_)
    entry->stop.request_stop();
}

void Overlays::update(const lsp::Document& document,
                      const std::shared_ptr<Repository>& repository) {
  const auto file = lsp::path_from_uri(document.uri);
  const auto path = file ? repository->relative(*file) : std::nullopt;
  if (!path || !document.is_synced) return;
  // A name is all that tells of a file that no scan has seen.
  if (repository->is_left_out(*path) ||
      indexer::judge_name(std::filesystem::path(*path).filename().string()) ||
      document.text->n_bytes() > repository->limits().max_file_bytes) {
    return forget(document.uri);
  }
  auto& entry = entries_[document.uri];
  if (!entry) entry = std::make_shared<Entry>(protocol_);
  entry->repository = repository;
  entry->path = *path;
  entry->document = document;
  if (std::exchange(entry->has_changed, true) || entry->is_parsing) return;
  finished(entry);
}

void Overlays::forget(const lsp::DocumentUri& uri) {
  const auto entry = entries_.find(uri);
  if (entry == entries_.end()) return;
  entry->second->stop.request_stop();
  entries_.erase(entry);
}

/// Parses the document, at once or when the interval is over, if it has changed.
void Overlays::finished(const std::shared_ptr<Entry>& entry) {
  entry->is_parsing = false;
  if (entry->has_changed) {
    const auto next = entry->began + kInterval;
    if (entry->began == TimePoint() || next <= Clock::now()) return parse(entry, From::kTreeBefore);
    return parse_at(entry, next, From::kTreeBefore);
  }
  if (!entry->is_exact) parse_at(entry, Clock::now() + kQuiet, From::kNothing);
}

void Overlays::parse_at(const std::shared_ptr<Entry>& entry, TimePoint when, From from) {
  entry->timer.expires_at(when);  // what was to come before is not to come any more
  entry->timer.async_wait([this, from, weak = std::weak_ptr(entry)](const auto& error) {
    const auto waiting = weak.lock();
    if (error || !waiting || waiting->stop.stop_requested()) return;
    // It may have been on its way when a parse began.
    if (!waiting->is_parsing) parse(waiting, from);
  });
}

void Overlays::parse(const std::shared_ptr<Entry>& entry, From from) {
  entry->timer.cancel();
  entry->has_changed = false;
  entry->is_parsing = true;
  entry->began = Clock::now();
  const std::string_view text = entry->document.text->text();
  const indexer::ContentHash hash = indexer::hash_content(text);
  // Also when it is what the index holds: the disk may change beneath it.
  if (entry->segment && entry->hash == hash && from == From::kTreeBefore) return finished(entry);
  parser_.parse({.root = entry->repository->root().string(),
                 .path = entry->path,
                 .text = std::string(text),
                 .max_file_bytes = entry->repository->limits().max_file_bytes,
                 .document = from == From::kTreeBefore ? entry->number : 0},
                Urgency::kInteractive,
                entry->stop.get_token(),
                [this, weak = std::weak_ptr(entry), text = entry->document.text](
                    Result<wire::Parsed> answer) {
                  const auto waiting = weak.lock();
                  if (!waiting || waiting->stop.stop_requested()) return;
                  parsed(waiting, text, std::move(answer));
                });
}

void Overlays::parsed(const std::shared_ptr<Entry>& entry,
                      std::shared_ptr<const lsp::TextBuffer> text,
                      Result<wire::Parsed> answer) {
  entry->is_exact = !answer || answer->is_exact;
  if (!answer || answer->skipped) {
    entry->segment = nullptr;
    return finished(entry);
  }
  asio::post(pool_,
             [this,
              protocol = protocol_,
              weak = std::weak_ptr(entry),
              path = entry->path,
              text = std::move(text),
              bytes = std::move(answer->record)] {
               const auto record = indexer::deserialize(std::as_bytes(std::span(bytes)));
               auto segment = record ? indexer::Segment::of_file(path, *record) : nullptr;
               const auto hash = record ? record->hash : indexer::ContentHash();
               asio::post(protocol, [this, weak, hash, text, segment = std::move(segment)] {
                 const auto waiting = weak.lock();
                 if (!waiting || waiting->stop.stop_requested()) return;
                 waiting->segment = segment;
                 waiting->text = text;
                 waiting->hash = hash;
                 const auto indexed = waiting->repository->snapshot().file(waiting->path);
                 waiting->was_edited |= !indexed || indexed->hash != hash;
                 finished(waiting);
               });
             });
}

template <class Visit>
void Overlays::for_each(const Repository& repository,
                        const indexer::Snapshot& base,
                        Visit visit) const {
  for (const auto& [uri, entry] : entries_) {
    if (entry->repository.get() != &repository || !entry->segment) continue;
    // It may have been opened before the first scan.
    if (repository.is_left_out(entry->path)) continue;
    const auto indexed = base.file(entry->path);
    if (!indexed || indexed->hash != entry->hash) visit(*entry);
  }
}

indexer::Snapshot Overlays::snapshot_of(const Repository& repository) const {
  const indexer::Snapshot base = repository.snapshot();
  std::vector<indexer::Overlaid> files;
  for_each(repository, base, [&](const Entry& entry) {
    files.push_back({.path = entry.path, .segment = entry.segment});
  });
  return files.empty() ? base : base.with(files);
}

std::map<std::string, std::shared_ptr<const lsp::TextBuffer>> Overlays::texts_of(
    const Repository& repository) const {
  std::map<std::string, std::shared_ptr<const lsp::TextBuffer>> texts;
  for_each(repository, repository.snapshot(), [&](const Entry& entry) {
    if (entry.text) texts[entry.path] = entry.text;
  });
  return texts;
}

std::uint64_t Overlays::edits_besides(const Repository& repository, const std::string& path) const {
  std::string state;
  for (const auto& [uri, entry] : entries_) {
    if (entry->repository.get() != &repository || entry->path == path || !entry->segment ||
        !entry->was_edited || repository.is_left_out(entry->path)) {
      continue;
    }
    state += entry->path + '\n' + indexer::to_hex(entry->hash) + '\n';
  }
  return std::hash<std::string>()(state);
}

}  // namespace kinglet::daemon
