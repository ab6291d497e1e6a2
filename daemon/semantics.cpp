#include "daemon/semantics.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "indexer/clang/compile_commands.h"
#include "indexer/clang/semantic_record.h"

namespace kinglet::daemon {

namespace clang = indexer::clang;

namespace {

constexpr std::size_t kMaxProblems = 20;

bool is_c_source(const std::string& path) {
  return clang::is_c_family(path) && !clang::is_header(path);
}

/// Checks what the worker said, then believes it.
Result<void> put(clang::SemanticIndex& index,
                 const std::string& unit,
                 const wire::ClangIndexed& indexed) {
  const auto record = TRY(clang::deserialize(indexed.record));
  if (record.main_path != unit ||
      indexed.source > static_cast<std::uint8_t>(clang::CommandSource::kInferred)) {
    return fail(ErrorCode::kCorrupt, "The clang worker answered for something else.");
  }
  index.put(record, static_cast<clang::CommandSource>(indexed.source));
  return {};
}

}  // namespace

Semantics::Semantics(std::string root,
                     ClangUse use,
                     ClangClient& client,
                     boost::asio::any_io_executor protocol,
                     boost::asio::any_io_executor pool)
    : root_(std::move(root)),
      use_(use),
      client_(client),
      protocol_(std::move(protocol)),
      pool_(std::move(pool)),
      index_(std::make_shared<clang::SemanticIndex>()) {}

Semantics::~Semantics() {
  stop_.request_stop();
}

// ---- what there is to parse

void Semantics::set_files(std::vector<std::string> paths) {
  if (use_ == ClangUse::kOff) return;
  std::erase_if(paths, [](const std::string& path) { return !clang::is_c_family(path); });
  if (paths.empty() && units_.empty()) return;
  files_to_plan_ = std::move(paths);
  if (is_planning_) return;
  is_planning_ = true;
  client_.plan({.root = root_, .paths = *std::exchange(files_to_plan_, std::nullopt)},
               stop_.get_token(),
               [weak = weak_from_this()](Result<wire::ClangPlanned> answer) {
                 if (const auto self = weak.lock()) self->planned(std::move(answer));
               });
}

void Semantics::planned(Result<wire::ClangPlanned> answer) {
  is_planning_ = false;
  if (files_to_plan_) return set_files(*std::exchange(files_to_plan_, std::nullopt));
  if (!answer) {
    note(answer.error().message);
    // Without libclang nothing else is to be tried.
    if (answer.error().code == ErrorCode::kNotFound) use_ = ClangUse::kOff;
    if (on_change) on_change();
    return;
  }
  for (auto& problem : answer->problems)
    note(std::move(problem));
  const std::set<std::string> units(answer->units.begin(), answer->units.end());
  for (const auto& unit : units_) {
    if (!units.contains(unit) && !shown_.contains(unit)) index_->remove(unit);
  }
  units_ = units;
  if (use_ == ClangUse::kAll) {
    for (const auto& unit : units_) {
      if (!index_->has_unit(unit)) enqueue({.unit = unit});
    }
  }
  next();
}

void Semantics::file_changed(const std::string& path) {
  if (use_ == ClangUse::kOff || !clang::is_c_family(path)) return;
  auto units = index_->units_with(path);
  if (units.empty() && units_.contains(path)) units.push_back(path);
  for (auto& unit : units) {
    const bool is_shown = shown_.contains(unit);
    enqueue({.unit = std::move(unit), .is_shown = is_shown, .is_changed = true});
  }
  next();
}

void Semantics::show(const std::string& path, std::string text) {
  if (use_ == ClangUse::kOff || !clang::is_c_family(path)) return;
  const auto shown = shown_.find(path);
  if (shown != shown_.end() && shown->second == text) return;
  shown_[path] = std::move(text);
  enqueue({.unit = unit_for(path), .is_shown = true, .is_changed = true});
  next();
}

void Semantics::hide(const std::string& path) {
  const auto shown = shown_.find(path);
  if (shown == shown_.end()) return;
  shown_.erase(shown);
  const std::string unit = unit_for(path);
  std::erase_if(queue_, [&](const Task& task) { return task.is_shown && task.unit == unit; });
  // What was on the screen may not be what is on disk.
  const bool is_shown = shown_.contains(unit);
  if (is_shown || (use_ == ClangUse::kAll && units_.contains(unit))) {
    enqueue({.unit = unit, .is_shown = is_shown, .is_changed = true});
  } else {
    index_->remove(unit);
  }
  next();
}

std::string Semantics::unit_for(const std::string& path) const {
  if (is_c_source(path)) return path;
  const auto units = index_->units_with(path);
  const auto own = std::ranges::find_if(units, [&](const auto& unit) { return unit != path; });
  return own == units.end() ? path : *own;
}

std::vector<wire::UnsavedFile> Semantics::shown_files() const {
  std::vector<wire::UnsavedFile> files;
  for (const auto& [path, text] : shown_)
    files.push_back({path, text});
  return files;
}

// ---- parsing, one unit at a time

void Semantics::enqueue(Task task) {
  const auto same =
      std::ranges::find_if(queue_, [&](const Task& waiting) { return waiting.unit == task.unit; });
  if (same != queue_.end()) {
    task.is_changed = task.is_changed || same->is_changed;
    task.is_shown = task.is_shown || same->is_shown;
    queue_.erase(same);
  }
  if (task.is_shown) {
    queue_.push_front(std::move(task));
  } else {
    queue_.push_back(std::move(task));
  }
}

void Semantics::next() {
  if (in_flight_ || is_planning_ || queue_.empty()) return;
  in_flight_ = std::move(queue_.front());
  queue_.pop_front();
  client_.index({.root = root_,
                 .path = in_flight_->unit,
                 .unsaved = shown_files(),
                 .header_bodies = in_flight_->is_changed ? wire::HeaderBodies::kAgain
                                                         : wire::HeaderBodies::kOnce},
                in_flight_->is_shown ? Urgency::kInteractive : Urgency::kBackground,
                stop_.get_token(),
                [weak = weak_from_this()](Result<wire::ClangIndexed> answer) {
                  if (const auto self = weak.lock()) self->indexed(std::move(answer));
                });
}

void Semantics::indexed(Result<wire::ClangIndexed> answer) {
  if (!answer) return finish(tl::unexpected(std::move(answer).error()));
  seconds_ += answer->seconds;
  boost::asio::post(pool_,
                    [weak = weak_from_this(),
                     index = index_,
                     unit = in_flight_->unit,
                     protocol = protocol_,
                     indexed = *std::move(answer)] {
                      boost::asio::post(protocol, [weak, done = put(*index, unit, indexed)] {
                        if (const auto self = weak.lock()) self->finish(done);
                      });
                    });
}

void Semantics::finish(Result<void> done) {
  const Task task = *std::exchange(in_flight_, std::nullopt);
  if (!done) {
    index_->remove(task.unit);
    const ErrorCode code = done.error().code;
    if (code == ErrorCode::kCancelled) return;
    // A file that is gone is no failure.
    if (code != ErrorCode::kNotFound) {
      ++n_failed_;
      note(task.unit + ": " + done.error().message);
    }
  }
  if (on_change) on_change();
  next();
}

void Semantics::hover(const std::string& path,
                      std::uint32_t offset,
                      std::stop_token stop,
                      std::function<void(Result<wire::ClangHovered>)> on_done) {
  client_.hover({.root = root_,
                 .unit = unit_for(path),
                 .path = path,
                 .offset = offset,
                 .unsaved = shown_files()},
                std::move(stop),
                std::move(on_done));
}

void Semantics::note(std::string problem) {
  if (std::ranges::find(problems_, problem) != problems_.end()) return;
  if (problems_.size() < kMaxProblems) problems_.push_back(std::move(problem));
}

SemanticsStatus Semantics::status() const {
  return {.use = use_,
          .n_units = units_.size(),
          .n_waiting = queue_.size() + (in_flight_ ? 1U : 0U),
          .n_failed = n_failed_,
          .problems = problems_,
          .seconds = seconds_,
          .index = index_->stats()};
}

}  // namespace kinglet::daemon
