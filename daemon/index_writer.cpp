#include "daemon/index_writer.h"

#include <optional>
#include <span>

#include <boost/asio/post.hpp>

#include <spdlog/spdlog.h>

#include "indexer/parse.h"

namespace kinglet::daemon {

namespace asio = boost::asio;
using indexer::FileRecord;
using indexer::Store;

namespace {

// Whether other runs of the parser would give this record again: one that ran out of time depends
// on the machine.
bool is_lasting(const FileRecord& record) {
  return record.coverage != indexer::Coverage::kLexical ||
         record.n_bytes > indexer::ParseLimits{}.max_grammar_bytes;
}

}  // namespace

// --- the thread ----------------------------------------------------------------------------------

IndexThread::IndexThread(asio::any_io_executor protocol, indexer::StoreOptions store)
    : protocol_(std::move(protocol)),
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
  asio::post(thread_, [this, job = std::move(job)] { job(*store_); });
}

// --- one repository ------------------------------------------------------------------------------

IndexWriter::IndexWriter(IndexThread& thread, std::string root)
    : thread_(thread), state_(std::make_shared<State>()) {
  state_->root = std::move(root);
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
