#include "daemon/index_writer.h"

#include <chrono>
#include <optional>
#include <span>

#include <malloc.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include <spdlog/spdlog.h>

#include "daemon/process_memory.h"
#include "indexer/parse.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using indexer::FileRecord;
using indexer::Store;

namespace {

/// Into how many of the largest segments the memory limit is parted.
constexpr std::uint64_t kSegments = 8;
constexpr std::chrono::seconds kLookEvery{2};
constexpr std::chrono::seconds kTrimEvery{1};
constexpr std::chrono::minutes kTryAgainAfter{1};

// Whether other runs of the parser would give this record again: one that ran out of time depends
// on the machine.
bool is_lasting(const FileRecord& record) {
  return record.coverage != indexer::Coverage::kLexical ||
         record.n_bytes > indexer::ParseLimits{}.max_grammar_bytes;
}

}  // namespace

// --- the thread ----------------------------------------------------------------------------------

IndexThread::IndexThread(asio::any_io_executor protocol,
                         indexer::StoreOptions store,
                         IndexMemory memory)
    : protocol_(std::move(protocol)),
      memory_(std::move(memory)),
      next_look_(protocol_),
      keeps_(!store.file.empty()),
      store_(std::make_shared<Store>()) {
  if (!keeps_) return;
  store.log = [](const std::string& line) { spdlog::warn("{}", line); };
  asio::post(thread_, [this, options = std::move(store)]() mutable {
    store_ = std::make_shared<Store>(std::move(options));
  });
}

IndexThread::~IndexThread() {
  thread_.stop();
  thread_.join();
}

void IndexThread::post(std::function<void(Store&)> job) {
  asio::post(thread_, [this, job = std::move(job)] {
    job(*store_);
    hold_limit();
  });
}

void IndexThread::add(std::weak_ptr<indexer::Index> index) {
  post([this, index = std::move(index)](Store&) { indexes_.push_back(index); });
  if (!memory_.folder.empty()) look_again();
}

void IndexThread::trim() {
  post([](Store&) { ::malloc_trim(0); });
}

void IndexThread::shut_down() {
  is_shut_down_ = true;
  next_look_.cancel();
}

std::size_t IndexThread::max_segment_bytes() const {
  return memory_.folder.empty() ? SIZE_MAX : memory_.limit / kSegments;
}

// Merging takes the bytes of its result once more, so the limit is held from below.
void IndexThread::hold_limit() {
  if (memory_.folder.empty()) return;
  const std::uint64_t aim = memory_.limit - memory_.limit / kSegments * 2;
  ProcessMemory used = memory_of(::getpid());
  if (used.resident <= aim) return;
  std::vector<std::shared_ptr<indexer::Index>> indexes;
  std::erase_if(indexes_, [&](const auto& weak) {
    if (auto index = weak.lock()) indexes.push_back(std::move(index));
    return weak.expired();
  });
  for (const auto& index : indexes)
    index->snapshot().release_pages();
  const auto now = std::chrono::steady_clock::now();
  if (used.resident - used.of_files > aim && now - trimmed_ > kTrimEvery) {
    // What an answer took.
    ::malloc_trim(0);
    trimmed_ = now;
    used = memory_of(::getpid());
  }
  while (used.resident - used.of_files > aim && now >= no_files_until_) {
    std::size_t n_freed = 0;
    for (const auto& index : indexes) {
      const auto freed = index->move_to_file(memory_.folder);
      if (!freed) {
        spdlog::warn("{}; the index stays in memory", freed.error().message);
        no_files_until_ = now + kTryAgainAfter;
        return;
      }
      n_freed += *freed;
    }
    if (n_freed == 0) return;
    ::malloc_trim(0);
    used = memory_of(::getpid());
  }
}

/// Readers bring pages back, and take memory themselves.
void IndexThread::look_again() {
  if (is_shut_down_) return;
  next_look_.expires_after(kLookEvery);
  next_look_.async_wait([this, alive = std::weak_ptr(alive_)](const auto& error) {
    if (error || alive.expired()) return;
    post([](Store&) {});
    look_again();
  });
}

// --- one repository ------------------------------------------------------------------------------

IndexWriter::IndexWriter(IndexThread& thread, std::string root)
    : thread_(thread),
      state_(std::make_shared<State>(std::move(root), thread.max_segment_bytes())) {
  thread_.add(std::shared_ptr<indexer::Index>(state_, &state_->index));
}

IndexWriter::~IndexWriter() {
  state_->is_gone = true;
}

/// Runs `job` on the thread and `on_done` with its result on the protocol thread.
template <class Job, class OnDone>
void IndexWriter::post(Job job, OnDone on_done) {
  thread_.post([state = state_,
                protocol = thread_.protocol(),
                job = std::move(job),
                on_done = std::move(on_done)](Store& store) mutable {
    auto result = job(store, *state);
    asio::post(protocol,
               [state, on_done = std::move(on_done), result = std::move(result)]() mutable {
                 if (!state->is_gone) on_done(std::move(result));
               });
  });
}

void IndexWriter::load(std::function<void(KeptFiles)> on_done) {
  post(
      [](Store& store, State& state) {
        return KeptFiles{.files = store.files(state.root), .has_records = store.has_records()};
      },
      std::move(on_done));
}

void IndexWriter::recall(std::vector<indexer::StoredFile> files,
                         Note note,
                         std::function<void(std::vector<std::string>)> on_done) {
  post(
      [files = std::move(files), note](Store& store, State& state) mutable {
        std::vector<std::string> missing;
        std::vector<std::pair<std::string, FileRecord>> found;
        indexer::StoreBatch batch{.root = state.root, .records = {}, .files = {}, .removed = {}};
        for (indexer::StoredFile& file : files) {
          auto record = store.find(file.hash, file.language);
          if (!record) {
            missing.push_back(std::move(file.path));
            continue;
          }
          found.emplace_back(file.path, *std::move(record));
          if (note == Note::kYes && file.stamp != 0) batch.files.push_back(std::move(file));
        }
        state.index.put(std::move(found));
        store.write(batch);
        return missing;
      },
      std::move(on_done));
}

void IndexWriter::put(std::vector<FileUpdate> updates, std::function<void(Failures)> on_done) {
  post(
      [updates = std::move(updates)](Store& store, State& state) mutable {
        Failures failures;
        std::vector<std::pair<std::string, FileRecord>> records;
        indexer::StoreBatch batch{.root = state.root, .records = {}, .files = {}, .removed = {}};
        for (FileUpdate& update : updates) {
          if (!update.left_out.empty()) {
            state.index.remove(update.path);
            if (update.stamp == 0 || !update.is_ours) continue;
            batch.files.push_back({.path = std::move(update.path),
                                   .stamp = update.stamp,
                                   .hash = update.hash,
                                   .language = {},
                                   .left_out = std::move(update.left_out)});
            continue;
          }
          auto record = indexer::deserialize(std::as_bytes(std::span(update.record)));
          if (!record) {
            state.index.remove(update.path);
            failures.emplace_back(std::move(update.path), std::move(record).error());
            continue;
          }
          if (update.is_ours && is_lasting(*record)) {
            batch.records.push_back({.hash = record->hash,
                                     .language = record->language,
                                     .bytes = std::move(update.record)});
            if (update.stamp != 0) {
              batch.files.push_back({.path = update.path,
                                     .stamp = update.stamp,
                                     .hash = record->hash,
                                     .language = record->language,
                                     .left_out = {}});
            }
          }
          records.emplace_back(std::move(update.path), *std::move(record));
        }
        state.index.put(std::move(records));
        store.write(batch);
        return failures;
      },
      std::move(on_done));
}

void IndexWriter::remove(std::vector<std::string> paths, std::function<void()> on_done) {
  post(
      [paths = std::move(paths)](Store& store, State& state) mutable {
        for (const std::string& path : paths)
          state.index.remove(path);
        store.write({.root = state.root, .records = {}, .files = {}, .removed = std::move(paths)});
        return true;
      },
      [on_done = std::move(on_done)](bool) { on_done(); });
}

}  // namespace kinglet::daemon
