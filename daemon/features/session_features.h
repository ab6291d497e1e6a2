// What one session does besides keeping its documents: indexes its roots, completes, tells what it
// packed. Bound to methods in methods.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/features/inline_completion.h"
#include "daemon/features/navigation.h"
#include "daemon/features/overlays.h"
#include "daemon/features/recent_places.h"
#include "daemon/repository.h"
#include "daemon/semantics.h"
#include "lsp/binder.h"
#include "lsp/navigation.h"
#include "lsp/progress.h"
#include "lsp/protocol.h"

namespace kinglet::daemon {

class Session;

/// For the protocol thread. The session outlives it.
class SessionFeatures {
 public:
  explicit SessionFeatures(Session& session);
  SessionFeatures(const SessionFeatures&) = delete;
  SessionFeatures& operator=(const SessionFeatures&) = delete;
  ~SessionFeatures();

  /// After `initialized`, and whenever the roots or settings changed: loads the model and indexes
  /// the roots, both with `$/progress`.
  void start();
  /// A document was opened, or its text changed.
  void did_open(const lsp::DocumentUri& uri);
  void did_change(const lsp::DidChangeTextDocumentParams& params);
  void did_save(const lsp::DocumentUri& uri);
  void did_close(const lsp::DocumentUri& uri);
  void did_change_watched_files(const lsp::DidChangeWatchedFilesParams& params);

  /// Definitions, references, symbols.
  Navigation& navigation() { return navigation_; }

  /// textDocument/inlineCompletion
  void inline_completion(const lsp::InlineCompletionParams& params,
                         std::stop_token stop,
                         lsp::Reply<lsp::InlineCompletionResult> reply);

  /// kinglet/context: the prompt that a completion at a place would use, each part with its reason
  /// and tokens (prompt_parts.h). Waits for a git history that is being read, so that it does not
  /// depend on who was faster; a completion does not. RequestFailed where completions are turned
  /// off, for a binary document, or as InlineCompletions::pack(); InvalidParams as
  /// Documents::locate().
  void context(const lsp::ContextParams& params, std::stop_token stop, lsp::Reply<lsp::Json> reply);
  /// kinglet/ready: answers with kinglet/status once the model is loaded (or cannot be) and the
  /// roots are indexed.
  void ready(const lsp::Null& params, std::stop_token stop, lsp::Reply<lsp::Json> reply);
  /// kinglet/status: the daemon's, and this session's repositories and last completion.
  lsp::Response<lsp::Json> status(const lsp::Null& params);
  /// {indexed, reason, clang}: whether a file is in the index, why not, and what libclang could not
  /// do about it.
  lsp::Response<lsp::Json> explain(const lsp::ExplainParams& params);

 private:
  struct OpenRoot {
    std::shared_ptr<Repository> repository;
    std::shared_ptr<Semantics> semantics;
    std::shared_ptr<void> listening;
    std::shared_ptr<void> listening_to_history;
    std::optional<lsp::WorkDoneProgress> bar;
    std::shared_ptr<void> watching;  // last: it goes before the repository
  };

  bool wants_model() const;
  void load_model();
  void open_roots();
  void register_watchers();
  void show_progress(OpenRoot& root);
  void answer_ready();
  void answer_contexts();
  void text_changed(const lsp::DocumentUri& uri);
  void show(const lsp::Document& document);
  void hide(const lsp::DocumentUri& uri);
  const OpenRoot* open_root_of(const std::string& path) const;
  std::shared_ptr<Repository> repository_of(const std::string& path) const;
  Config config_for(const lsp::Place& place) const;
  PackJob job_for(const lsp::Place& place) const;
  /// The index of an open root as this session sees it.
  indexer::Snapshot snapshot_of(const OpenRoot& root) const;
  NavigatedRoot navigated(const std::string& path, const OpenRoot& root) const;
  std::optional<NavigatedRoot> navigated_root_of(const std::string& path) const;
  std::vector<NavigatedRoot> navigated_roots() const;

  Session& session_;
  std::map<std::string, OpenRoot> roots_;  // by path
  std::optional<lsp::WorkDoneProgress> loading_;
  bool model_settled_ = false;
  bool has_watchers_ = false;                   // the client was asked to tell of changed files
  std::vector<lsp::Reply<lsp::Json>> waiting_;  // for ready()
  std::vector<std::function<void()>> waiting_for_history_;  // context()
  std::unique_ptr<InlineCompletions> completions_;
  Overlays overlays_;
  RecentPlaces recent_;
  Navigation navigation_;
  std::shared_ptr<SessionFeatures*> alive_;  // null once this is gone, for callbacks
};

}  // namespace kinglet::daemon
