// One client of the daemon, from `initialize` to `exit`: its documents, folders and settings.
// Everything of a session happens on the protocol thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/config.h"
#include "daemon/features/session_features.h"
#include "daemon/services.h"
#include "lsp/documents.h"
#include "lsp/protocol.h"
#include "lsp/server.h"

namespace kinglet::daemon {

/// A folder the client opened.
struct Root {
  std::string path;  // absolute, without a slash at its end
  Config config;     // the session's, narrowed by the folder's own .kinglet.json
};

struct SessionOptions {
  /// Takes framed messages for the client, in order.
  std::function<void(std::string bytes)> send;
  /// Settings above all others: flags of `kinglet lsp`.
  nlohmann::json flags = nlohmann::json::object();
};

class Session {
 public:
  Session(Services& services, SessionOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Bytes from the client, in pieces of any size.
  void receive(std::string_view bytes);
  /// The client is gone. Its open requests are cancelled.
  void end_of_input();
  /// Set once the client sent `exit`.
  std::optional<int> exit_code() const { return server_.exit_code(); }

  // ---- for features

  Services& services() { return services_; }
  lsp::Client client() const { return server_.client(); }
  const lsp::Documents& documents() const { return documents_; }
  const lsp::ClientCapabilities& capabilities() const { return capabilities_; }
  /// What the client calls itself, "Neovim"; may be empty.
  const std::string& client_name() const { return client_name_; }
  const std::vector<Root>& roots() const { return roots_; }
  /// The innermost root that holds an absolute path; null if none does.
  const Root* root_of(std::string_view path) const;
  /// The configuration for a document: its root's, else the session's.
  const Config& config_for(std::string_view path) const;
  const Config& config() const { return config_; }
  SessionFeatures& features() { return features_; }

  // ---- life cycle and documents, bound in methods.cpp

  lsp::Response<lsp::InitializeResult> initialize(const lsp::InitializeParams& params);
  void initialized(const lsp::Null& params);
  Result<void> did_open(const lsp::DidOpenTextDocumentParams& params);
  Result<void> did_change(const lsp::DidChangeTextDocumentParams& params);
  Result<void> did_save(const lsp::DidSaveTextDocumentParams& params);
  Result<void> did_close(const lsp::DidCloseTextDocumentParams& params);
  void did_change_configuration(const lsp::DidChangeConfigurationParams& params);
  void did_change_workspace_folders(const lsp::DidChangeWorkspaceFoldersParams& params);

 private:
  void set_roots(const std::vector<lsp::DocumentUri>& uris);
  /// `changed`: what the client has said since its initializationOptions; null for nothing.
  void apply_settings(const nlohmann::json& changed);
  void show_problems(const std::vector<std::string>& problems);

  Services& services_;
  nlohmann::json flags_;
  nlohmann::json initial_settings_;
  Config config_;
  std::vector<Root> roots_;
  lsp::ClientCapabilities capabilities_;
  std::string client_name_;
  lsp::Documents documents_;
  std::vector<std::string> unshown_problems_;  // found before the client may be told
  bool is_initialized_ = false;
  SessionFeatures features_;
  lsp::Server server_;  // last: its handlers use all of the above
};

}  // namespace kinglet::daemon
