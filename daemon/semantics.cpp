#include "daemon/semantics.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

#include "indexer/clang/compile_commands.h"
#include "indexer/clang/semantic_record.h"

namespace kinglet::daemon {

namespace clang = indexer::clang;

namespace {

constexpr std::size_t kMaxProblems = 20;

std::string_view stem_of(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  return path.substr(0, path.rfind('.'));
}

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

/// Of when_parsed().
struct Semantics::Waiter {
  Waiter(std::string waited_for,
         std::function<void()> callback,
         const boost::asio::any_io_executor& executor)
      : path(std::move(waited_for)), on_done(std::move(callback)), timer(executor) {}

  std::string path;
  std::function<void()> on_done;  // null: called
  boost::asio::steady_timer timer;
};

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
      index_(std::make_shared<clang::SemanticIndex>()),
      typing_(protocol_) {}

Semantics::~Semantics() {
  stop_.request_stop();
}

// ---- what there is to parse

void Semantics::set_files(std::vector<std::string> paths) {
  if (use_ == ClangUse::kOff) return;
  std::erase_if(paths, [](const std::string& path) { return !clang::is_c_family(path); });
  if (paths.empty() && units_.empty()) return;
  sources_.clear();
  std::ranges::copy_if(paths, std::inserter(sources_, sources_.end()), is_c_source);
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
    tell_waiters();
    return next();
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
  for (const auto& [path, shown] : shown_) {
    if (auto unit = unit_for(path); unit != path && !index_->has_unit(unit)) {
      enqueue({.unit = std::move(unit), .is_shown = true});
    }
  }
  next();
  tell_waiters();
}

void Semantics::file_changed(const std::string& path) {
  if (use_ == ClangUse::kOff || !clang::is_c_family(path)) return;
  auto units = index_->units_with(path);
  if (units.empty() && use_ == ClangUse::kAll && units_.contains(path)) units.push_back(path);
  for (auto& unit : units) {
    const bool is_shown = shown_.contains(unit);
    enqueue({.unit = std::move(unit), .is_shown = is_shown, .is_changed = true});
  }
  next();
}

void Semantics::show(const std::string& path, std::string text, Viewer viewer) {
  if (use_ == ClangUse::kOff || !clang::is_c_family(path)) return;
  const auto [entry, is_new] = shown_.try_emplace(path);
  Shown& shown = entry->second;
  shown.viewers.insert(viewer);
  if (!is_new && shown.text == text) return;
  shown.text = std::move(text);
  if (is_new) {
    enqueue({.unit = unit_for(path), .is_shown = true, .is_changed = true});
    return next();
  }
  typed_.insert(path);
  typing_.expires_after(kTypingPause);
  typing_.async_wait([weak = weak_from_this()](const auto& error) {
    const auto self = weak.lock();
    if (!error && self) self->typed();
  });
}

void Semantics::typed() {
  for (const auto& path : std::exchange(typed_, {}))
    enqueue({.unit = unit_for(path), .is_shown = true, .is_changed = true});
  next();
}

void Semantics::hide(const std::string& path, Viewer viewer) {
  const auto shown = shown_.find(path);
  if (shown == shown_.end()) return;
  shown->second.viewers.erase(viewer);
  if (!shown->second.viewers.empty()) return;
  const std::string unit = unit_for(path);
  shown_.erase(shown);
  typed_.erase(path);
  std::erase_if(queue_, [&](const Task& task) { return task.is_shown && task.unit == unit; });
  // What was on the screen may not be what is on disk.
  const bool is_shown =
      std::ranges::any_of(shown_, [&](const auto& other) { return unit_for(other.first) == unit; });
  if (is_shown || (use_ == ClangUse::kAll && units_.contains(unit))) {
    enqueue({.unit = unit, .is_shown = is_shown, .is_changed = true});
  } else {
    index_->remove(unit);
    seconds_of_.erase(unit);
  }
  next();
  tell_waiters();
}

std::string Semantics::unit_for(const std::string& path) const {
  if (is_c_source(path)) return path;
  const auto units = index_->units_with(path);
  const auto own = std::ranges::find_if(units, [&](const auto& unit) { return unit != path; });
  if (own != units.end()) return *own;
  return likely_unit_for(path).value_or(path);
}

/// Before any unit with a header has been parsed, its namesake is tried: "box.h", "box.cc". One
/// that was parsed and does not include it is none.
std::optional<std::string> Semantics::likely_unit_for(const std::string& header) const {
  std::optional<std::string> likely;
  std::size_t n_common = 0;
  for (const auto& source : sources_) {
    if (stem_of(source) != stem_of(header) || index_->has_unit(source)) continue;
    const auto differs = std::ranges::mismatch(source, header).in1;
    const auto n = static_cast<std::size_t>(differs - source.begin());
    if (likely && n <= n_common) continue;
    likely = source;
    n_common = n;
  }
  return likely;
}

std::vector<wire::UnsavedFile> Semantics::shown_files() const {
  std::vector<wire::UnsavedFile> files;
  for (const auto& [path, shown] : shown_)
    files.push_back({path, shown.text});
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
  seconds_of_[in_flight_->unit] = answer->seconds;
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
  failed_.erase(task.unit);
  if (!done) {
    index_->remove(task.unit);
    const ErrorCode code = done.error().code;
    if (code == ErrorCode::kCancelled) return;
    // A file that is gone is no failure.
    if (code != ErrorCode::kNotFound) {
      ++n_failed_;
      note(task.unit + ": " + done.error().message);
      failed_[task.unit] = done.error().message;
    }
  }
  for (const auto& [path, shown] : shown_) {
    if (is_c_source(path)) continue;
    const auto units = index_->units_with(path);
    if (units.empty() && task.is_shown && stem_of(path) == stem_of(task.unit)) {
      // The namesake does not include it.
      auto unit = done ? unit_for(path) : path;
      if (unit != task.unit) enqueue({.unit = std::move(unit), .is_shown = true});
    } else if (units.size() > 1 && index_->has_unit(path)) {
      // By itself it was parsed while no better unit was known.
      index_->remove(path);
    }
  }
  if (on_change) on_change();
  next();
  tell_waiters();
}

// ---- for those who ask

bool Semantics::is_waiting(const std::string& path) const {
  const std::string unit = unit_for(path);
  return is_planning_ || typed_.contains(path) || (in_flight_ && in_flight_->unit == unit) ||
         std::ranges::any_of(queue_, [&](const Task& task) { return task.unit == unit; });
}

void Semantics::when_parsed(const std::string& path,
                            std::chrono::milliseconds patience,
                            std::function<void()> on_done) {
  const auto waiter = std::make_shared<Waiter>(path, std::move(on_done), protocol_);
  waiter->timer.expires_after(is_waiting(path) ? patience : std::chrono::milliseconds(0));
  waiter->timer.async_wait([weak = weak_from_this(), waiter](const auto&) {
    if (const auto self = weak.lock()) std::erase(self->waiters_, waiter);
    if (waiter->on_done) std::exchange(waiter->on_done, nullptr)();
  });
  waiters_.push_back(waiter);
}

void Semantics::tell_waiters() {
  for (const auto& waiter : waiters_) {
    if (!is_waiting(waiter->path)) waiter->timer.cancel();
  }
}

bool Semantics::hovers_within(const std::string& path,
                              std::string_view text,
                              std::chrono::milliseconds time) const {
  const auto shown = shown_.find(path);
  if (!is_settled() || shown == shown_.end() || shown->second.text != text) return false;
  const auto seconds = seconds_of_.find(unit_for(path));
  return seconds != seconds_of_.end() &&
         std::chrono::duration<double>(seconds->second) < std::chrono::duration<double>(time);
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

std::string Semantics::problem_of(const std::string& path) const {
  const auto failed = failed_.find(unit_for(path));
  return failed == failed_.end() ? "" : failed->second;
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
