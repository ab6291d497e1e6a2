#include "daemon/features/session_features.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include <boost/asio/post.hpp>

#include "daemon/features/prompt_parts.h"
#include "daemon/services.h"
#include "daemon/session.h"
#include "indexer/scan.h"
#include "lsp/uri.h"

namespace kinglet::daemon {

using lsp::Json;

namespace {

Json describe(const Repository& repository) {
  const RepositoryStatus& status = repository.status();
  const indexer::IndexStats stats = repository.snapshot().stats();
  return {{"root", repository.root().string()},
          {"state", name_of(status.state)},
          {"problem", status.problem},
          {"files", stats.n_files},
          {"definitions", stats.n_definitions},
          {"references", stats.n_references},
          {"bytes", stats.n_bytes},
          {"memoryBytes", stats.memory},
          {"fileMemoryBytes", stats.in_files},
          {"watched", repository.watched_how()},
          {"historyCommits", repository.history()->n_commits()},
          {"found", status.n_found},
          {"changed", status.n_changed},
          {"parsed", status.n_parsed},
          {"done", status.n_done},
          {"failed", status.n_failed},
          {"problems", status.problems},
          {"leftOut", status.left_out},
          {"seconds", status.seconds}};
}

Json describe(const SemanticsStatus& status) {
  return {{"units", status.n_units},
          {"parsed", status.index.n_units},
          {"waiting", status.n_waiting},
          {"failed", status.n_failed},
          {"problems", status.problems},
          {"symbols", status.index.n_symbols},
          {"memoryBytes", status.index.memory},
          {"seconds", status.seconds}};
}

constexpr const char* kInNoFolder = "it is in no folder that is open";

/// Empty: the index that was packed has it. `repository`: that of the document, or null.
std::string why_not_indexed(const PackJob& job, const Repository* repository) {
  if (repository == nullptr) return kInNoFolder;
  if (job.index.file(job.path)) return "";
  std::string reason = repository->why_not(job.path);
  if (!reason.empty()) return reason;
  return repository->is_settled() ? "it is not on the disk" : "its turn has not come yet";
}

/// Text that is not indexed is completed all the same, and shown with the reason.
std::optional<std::string> why_no_context(const lsp::Document& document) {
  const std::string file = lsp::path_from_uri(document.uri).value_or(document.uri);
  // Of binary files the beginning tells.
  const auto left_out = indexer::judge_content(file, document.text->text().substr(0, 8192));
  if (!left_out || left_out->reason != indexer::LeftOut::kBinary) return std::nullopt;
  return file + " is binary (" + left_out->detail + "); open a text file";
}

/// A kinglet/context on its way. A cancellation answers it at once, whatever it waits for: the
/// model may take its time.
struct AskedContext {
  AskedContext(lsp::Reply<Json> the_reply, std::stop_token stop)
      : reply(std::move(the_reply)), on_stop(std::move(stop), [own = reply] {
          if (!own.is_answered()) own.cancelled();
        }) {}

  lsp::Reply<Json> reply;
  std::stop_callback<std::function<void()>> on_stop;
};

Json describe(const CompletionStats& stats) {
  return {{"promptTokens", stats.n_prompt},
          {"reusedTokens", stats.n_reused},
          {"generatedTokens", stats.n_generated},
          {"packSeconds", stats.pack_seconds},
          {"firstTokenSeconds", stats.first_token_seconds},
          {"tokensPerSecond", stats.decode_tokens_per_second}};
}

}  // namespace

SessionFeatures::SessionFeatures(Session& session)
    : session_(session),
      overlays_(session.services().protocol,
                session.services().pool.get_executor(),
                session.services().parser),
      navigation_({.protocol = session.services().protocol,
                   .pool = session.services().pool.get_executor(),
                   .parser = session.services().parser,
                   .links = session.services().links,
                   .documents = session.documents(),
                   .client = session.capabilities(),
                   .root_of = [this](const std::string& path) { return navigated_root_of(path); },
                   .roots = [this] { return navigated_roots(); },
                   .semantics_of =
                       [this](const std::string& path) {
                         const OpenRoot* root = open_root_of(path);
                         return root == nullptr ? nullptr : root->semantics;
                       }}),
      alive_(std::make_shared<SessionFeatures*>(this)) {}

SessionFeatures::~SessionFeatures() {
  for (const lsp::Document& document : session_.documents().all())
    hide(document.uri);
  *alive_ = nullptr;
}

void SessionFeatures::start() {
  Services& services = session_.services();
  if (!completions_) {
    completions_ = std::make_unique<InlineCompletions>(CompletionServices{
        .protocol = services.protocol,
        .pool = services.pool.get_executor(),
        .engine = services.engine,
        .client = session_.client(),
        .encoding = session_.documents().encoding(),
        .can_stream = session_.capabilities().inlineStream,
        .config_for = [this](const lsp::Place& place) { return config_for(place); },
        .job_for = [this](const lsp::Place& place) { return job_for(place); },
        .writer_for = [&services](const LoadedModel& model) { return services.writer_for(model); },
    });
  }
  if (wants_model()) load_model();
  open_roots();
  answer_ready();
}

void SessionFeatures::load_model() {
  model_settled_ = false;
  EngineClient& engine = session_.services().engine;
  if (!engine.model()) {
    loading_.emplace(session_.client(), session_.capabilities(), "Kinglet: loading the model");
  }
  engine.when_loaded([this, alive = alive_](const auto& model) {
    if (*alive == nullptr) return;
    if (loading_) loading_->end(model ? (*model)->info.name : "failed");
    loading_.reset();
    if (!model) {
      session_.client().notify(
          "window/showMessage",
          lsp::MessageParams{.type = lsp::MessageType::kError,
                             .message = "Kinglet has no model: " + model.error().message});
    }
    model_settled_ = true;
    answer_ready();
  });
}

void SessionFeatures::open_roots() {
  std::map<std::string, OpenRoot> before = std::exchange(roots_, {});
  for (const Root& root : session_.roots()) {
    if (!root.config.enabled) continue;
    const auto kept = before.find(root.path);
    if (kept != before.end() && kept->second.repository->limits() == limits_of(root.config)) {
      roots_.insert(before.extract(kept));
      continue;
    }
    OpenRoot& opened = roots_[root.path];
    opened.repository = session_.services().repositories.open(root.path, root.config);
    opened.semantics =
        session_.services().semantics.attach(opened.repository, clang_use_of(root.config.clang));
    opened.listening =
        opened.repository->listen([this, alive = alive_, path = root.path](const Repository&) {
          if (*alive == nullptr) return;
          if (const auto found = roots_.find(path); found != roots_.end()) {
            show_progress(found->second);
          }
          answer_ready();
        });
    opened.listening_to_history =
        opened.repository->listen_to_history([this, alive = alive_](const Repository&) {
          if (*alive != nullptr) answer_contexts();
        });
    for (const lsp::Document& document : session_.documents().all())
      did_open(document.uri);
    // Where the client does not tell of changed files, the system does.
    if (!session_.capabilities().watchedFilesDynamicRegistration) {
      opened.watching = opened.repository->keep_watched();
    }
    opened.repository->refresh();
  }
  for (const auto& [path, root] : before) {
    if (roots_.contains(path)) continue;
    for (const lsp::Document& document : session_.documents().all()) {
      const auto file = lsp::path_from_uri(document.uri);
      const auto below = file ? root.repository->relative(*file) : std::nullopt;
      if (below && root.semantics) root.semantics->hide(*below, this);
    }
  }
  // The settings may be others.
  for (const lsp::Document& document : session_.documents().all())
    show(document);
  register_watchers();
  answer_contexts();
}

void SessionFeatures::register_watchers() {
  if (!session_.capabilities().watchedFilesDynamicRegistration || roots_.empty()) return;
  if (std::exchange(has_watchers_, true)) return;
  const lsp::RegistrationParams params{
      .registrations = {
          {.id = "kinglet-watched-files",
           .method = "workspace/didChangeWatchedFiles",
           .registerOptions = Json{{"watchers", Json::array({{{"globPattern", "**/*"}}})}}}}};
  session_.client().request<lsp::Null>(
      "client/registerCapability", params, [this, alive = alive_](const auto& answer) {
        // It can after all not.
        if (answer || *alive == nullptr) return;
        for (auto& [path, root] : roots_)
          root.watching = root.repository->keep_watched();
      });
}

void SessionFeatures::show_progress(OpenRoot& root) {
  const RepositoryStatus& status = root.repository->status();
  if (root.repository->is_settled()) {
    if (root.bar) {
      root.bar->end(status.problem.empty() ? std::to_string(status.n_found) + " files"
                                           : status.problem);
    }
    root.bar.reset();
    return;
  }
  if (!root.bar) {
    root.bar.emplace(
        session_.client(), session_.capabilities(), "Kinglet: indexing " + root.repository->name());
  }
  if (status.state == RepositoryState::kIndexing && status.n_found > 0) {
    root.bar->report(
        std::to_string(status.n_done) + " of " + std::to_string(status.n_found) + " files",
        static_cast<std::uint32_t>(status.n_done * 100 / status.n_found));
  }
}

void SessionFeatures::answer_ready() {
  const bool settled = std::ranges::all_of(
      roots_, [](const auto& root) { return root.second.repository->is_settled(); });
  if (!settled || (wants_model() && !model_settled_)) return;
  for (const auto& reply : std::exchange(waiting_, {})) {
    if (!reply.is_answered()) reply(status({}));
  }
}

void SessionFeatures::ready(const lsp::Null&, std::stop_token, lsp::Reply<Json> reply) {
  waiting_.push_back(std::move(reply));
  answer_ready();
}

lsp::Response<Json> SessionFeatures::status(const lsp::Null&) {
  Json status = session_.services().status();
  Json repositories = Json::array();
  for (const auto& [path, root] : roots_) {
    repositories.push_back(describe(*root.repository));
    repositories.back()["clang"] = describe(root.semantics->status());
  }
  status["repositories"] = std::move(repositories);
  if (completions_ && completions_->last()) {
    status["lastCompletion"] = describe(*completions_->last());
  }
  return status;
}

lsp::Response<Json> SessionFeatures::explain(const lsp::ExplainParams& params) {
  Json answer = {{"indexed", false}, {"reason", kInNoFolder}, {"clang", ""}};
  for (const auto& [path, root] : roots_) {
    const auto below = root.repository->relative(params.path);
    if (!below) continue;
    answer["indexed"] = root.repository->snapshot().file(*below).has_value();
    answer["reason"] = root.repository->why_not(*below);
    answer["clang"] = root.semantics->problem_of(*below);
  }
  return answer;
}

void SessionFeatures::inline_completion(const lsp::InlineCompletionParams& params,
                                        std::stop_token stop,
                                        lsp::Reply<lsp::InlineCompletionResult> reply) {
  if (!completions_) start();
  lsp::Response<lsp::Place> place =
      session_.documents().locate(params.textDocument, params.position);
  if (const auto path = lsp::path_from_uri(params.textDocument.uri); path && place)
    recent_.note(*path, {value(place->offset), value(place->offset)});
  completions_->complete(params, std::move(place), std::move(stop), std::move(reply));
}

void SessionFeatures::context(const lsp::ContextParams& params,
                              std::stop_token stop,
                              lsp::Reply<Json> reply) {
  const auto path = lsp::path_from_uri(params.textDocument.uri);
  const auto repository = path ? repository_of(*path) : nullptr;
  if (repository && repository->is_reading_history()) {
    waiting_for_history_.push_back([this, params, stop, reply] {
      if (!reply.is_answered()) context(params, stop, reply);
    });
    return;
  }
  auto place = session_.documents().locate(params.textDocument, params.position);
  if (!place) return reply(tl::unexpected(std::move(place).error()));
  Config config = config_for(*place);
  if (!config.enabled || !config.completions) {
    return reply(lsp::fail(lsp::ResponseCode::kRequestFailed,
                           "completions are turned off here: \"enabled\" or \"completions\" is "
                           "false in config.json, in the editor's settings or in the repository's "
                           "own .kinglet.json"));
  }
  if (auto why_not = why_no_context(place->document))
    return reply(lsp::fail(lsp::ResponseCode::kRequestFailed, *std::move(why_not)));
  if (!completions_) start();
  Services& services = session_.services();
  const auto asked = std::make_shared<AskedContext>(std::move(reply), stop);
  completions_->pack(
      {.place = *std::move(place), .config = std::move(config), .budget = params.budget},
      std::move(stop),
      [asked,
       repository = std::weak_ptr(repository),
       protocol = services.protocol,
       pool = services.pool.get_executor()](Result<PackedPrompt> packed,
                                            const std::shared_ptr<const PackJob>& job) {
        if (asked->reply.is_answered()) return;
        if (!packed) {
          return asked->reply(lsp::fail(lsp::ResponseCode::kRequestFailed, packed.error().message));
        }
        boost::asio::post(pool,
                          [asked,
                           protocol,
                           packed = *std::move(packed),
                           job,
                           why_not = why_not_indexed(*job, repository.lock().get())] {
                            boost::asio::post(
                                protocol,
                                [asked, answer = describe_prompt(packed, *job, why_not)]() mutable {
                                  if (asked->reply.is_answered()) return;
                                  asked->reply(std::move(answer));
                                });
                          });
      });
}

void SessionFeatures::answer_contexts() {
  for (const auto& ask_again : std::exchange(waiting_for_history_, {}))
    ask_again();
}

void SessionFeatures::did_open(const lsp::DocumentUri& uri) {
  const auto path = lsp::path_from_uri(uri);
  if (!path) return;
  if (const auto repository = repository_of(*path)) {
    if (const auto below = repository->relative(*path)) repository->prefer(*below);
  }
  recent_.note_opened(*path);
  text_changed(uri);
}

void SessionFeatures::did_change(const lsp::DidChangeTextDocumentParams& params) {
  const lsp::DocumentUri& uri = params.textDocument.uri;
  const auto path = lsp::path_from_uri(uri);
  const lsp::Document* document = session_.documents().find(uri);
  if (path && document != nullptr && document->is_synced) {
    for (const lsp::TextDocumentContentChangeEvent& change : params.contentChanges) {
      // Without a range it's the whole text, which says nothing of where.
      if (!change.range) continue;
      // In the text as it is in the end: about there.
      const auto at = document->text->offset(change.range->start, session_.documents().encoding());
      if (!at) continue;
      const auto n_bytes = static_cast<std::uint32_t>(change.text.size());
      recent_.note(*path, {value(*at), value(*at) + n_bytes});
    }
  }
  text_changed(uri);
}

void SessionFeatures::text_changed(const lsp::DocumentUri& uri) {
  const auto path = lsp::path_from_uri(uri);
  const lsp::Document* document = session_.documents().find(uri);
  if (!path || document == nullptr) return;
  if (const auto repository = repository_of(*path)) overlays_.update(*document, repository);
  show(*document);
}

/// libclang parses it if somebody may ask: with "auto", C and C++ are a language server's.
void SessionFeatures::show(const lsp::Document& document) {
  const auto path = lsp::path_from_uri(document.uri);
  const OpenRoot* root = path ? open_root_of(*path) : nullptr;
  if (root == nullptr || !document.is_synced) return;
  const Repository& repository = *root->repository;
  const auto below = repository.relative(*path);
  const Config& config = session_.config_for(*path);
  if (!below || !config.enabled || config.navigation != "on" || repository.is_left_out(*below) ||
      document.text->n_bytes() > repository.limits().max_file_bytes) {
    return hide(document.uri);
  }
  root->semantics->show(*below, std::string(document.text->text()), this);
}

void SessionFeatures::hide(const lsp::DocumentUri& uri) {
  const auto path = lsp::path_from_uri(uri);
  const OpenRoot* root = path ? open_root_of(*path) : nullptr;
  if (root == nullptr) return;
  if (const auto below = root->repository->relative(*path)) root->semantics->hide(*below, this);
}

void SessionFeatures::did_save(const lsp::DocumentUri& uri) {
  const auto path = lsp::path_from_uri(uri);
  if (!path) return;
  if (const auto repository = repository_of(*path)) {
    if (const auto below = repository->relative(*path)) repository->refresh_file(*below);
  }
}

void SessionFeatures::did_close(const lsp::DocumentUri& uri) {
  if (completions_) completions_->forget(uri);
  overlays_.forget(uri);
  hide(uri);
}

void SessionFeatures::did_change_watched_files(const lsp::DidChangeWatchedFilesParams& params) {
  // A switched branch, rules, or more than single files are worth: a scan finds it.
  const auto wants_scan = [](const lsp::FileEvent& event) {
    return event.uri.ends_with("/.gitignore") || event.uri.ends_with("/.git/HEAD") ||
           event.uri.ends_with("/.git/index");
  };
  if (params.changes.size() > 64 || std::ranges::any_of(params.changes, wants_scan)) {
    for (const auto& [path, root] : roots_)
      root.repository->refresh();
    return;
  }
  for (const lsp::FileEvent& event : params.changes)
    did_save(event.uri);
}

const SessionFeatures::OpenRoot* SessionFeatures::open_root_of(const std::string& path) const {
  const Root* root = session_.root_of(path);
  if (root == nullptr) return nullptr;
  const auto found = roots_.find(root->path);
  return found == roots_.end() ? nullptr : &found->second;
}

std::shared_ptr<Repository> SessionFeatures::repository_of(const std::string& path) const {
  const OpenRoot* root = open_root_of(path);
  return root == nullptr ? nullptr : root->repository;
}

bool SessionFeatures::wants_model() const {
  return session_.config().enabled && session_.config().completions;
}

indexer::Snapshot SessionFeatures::snapshot_of(const OpenRoot& root) const {
  return overlays_.snapshot_of(*root.repository);
}

NavigatedRoot SessionFeatures::navigated(const std::string& path, const OpenRoot& root) const {
  const Config& config = session_.config_for(path + "/");
  NavigatedRoot navigated{
      .root = root.repository->root(),
      .index = snapshot_of(root),
      .disk = root.repository->snapshot(),
      .open = {},
      .semantics = config.clang == "off" ? nullptr : root.semantics->share_index(),
      .max_file_bytes = config.max_file_bytes,
      .is_wanted = config.enabled && config.navigation != "off",
      .is_auto = config.navigation == "auto"};
  for (const lsp::Document& document : session_.documents().all()) {
    const auto file = lsp::path_from_uri(document.uri);
    if (!file || !document.is_synced || session_.root_of(*file) == nullptr) continue;
    if (session_.root_of(*file)->path != path) continue;
    if (const auto below = root.repository->relative(*file)) navigated.open[*below] = document.text;
  }
  return navigated;
}

std::optional<NavigatedRoot> SessionFeatures::navigated_root_of(const std::string& path) const {
  const Root* root = session_.root_of(path);
  if (root == nullptr) {
    const Config& config = session_.config();
    NavigatedRoot alone;
    alone.max_file_bytes = config.max_file_bytes;
    alone.is_wanted = config.enabled && config.navigation != "off";
    alone.is_auto = config.navigation == "auto";
    alone.is_alone = true;
    return alone;
  }
  const auto found = roots_.find(root->path);
  if (found == roots_.end()) return std::nullopt;
  return navigated(found->first, found->second);
}

std::vector<NavigatedRoot> SessionFeatures::navigated_roots() const {
  std::vector<NavigatedRoot> roots;
  for (const auto& [path, root] : roots_)
    roots.push_back(navigated(path, root));
  return roots;
}

Config SessionFeatures::config_for(const lsp::Place& place) const {
  const auto path = lsp::path_from_uri(place.document.uri);
  return path ? session_.config_for(*path) : session_.config();
}

PackJob SessionFeatures::job_for(const lsp::Place& place) const {
  PackJob job;
  const auto path = lsp::path_from_uri(place.document.uri);
  const auto repository = path ? repository_of(*path) : nullptr;
  if (repository) {
    job.root = repository->root();
    job.repository = repository->name();
    job.index = overlays_.snapshot_of(*repository);
    job.history = repository->history();
    job.open_texts = overlays_.texts_of(*repository);
    job.recent = recent_.below(repository->root().string());
    job.path = repository->relative(*path).value_or("");
    job.edits_elsewhere = overlays_.edits_besides(*repository, job.path);
  } else {
    // An untitled buffer, or a file outside every root: completed from itself alone.
    job.repository = "scratch";
    job.path = path ? std::filesystem::path(*path).filename().string() : "untitled";
  }
  return job;
}

}  // namespace kinglet::daemon
